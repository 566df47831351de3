"""Random filters of the document store: SQL, with key columns and without, against the evaluator in memory.

A filter is asked in four ways, which must give the same documents: vera.match, which evaluates it in memory;
vera.get_documents; vera.search with key columns; vera.search with them, through the index alone. What cannot be a
filter must be refused with 22023 by all of them. And the table must be there afterwards: filters are made of pieces of
SQL among other things.

STORE_SEED repeats a run, FILTERS is the number of filters. Needs the environment of a server whose database is empty.
"""

import json
import os
import pathlib
import random
import sys

import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cluster"))
from common import Checks, seed_from  # noqa: E402

FILTERS = int(os.environ.get("FILTERS", 10_000))
DOCUMENTS = 300
FIELDS = ["a", "b", "c", "n", "o", "o.p", "o.q", "o.p.q", r"x\.y", "0", "o.0", "Ä'\"; --"]
TEXTS = ["", "a", "b", "ab", "Ab", "a%b", "a_b", "\\", "'", "''; DROP TABLE docs; --", "$2", "($2)[1]", "é", "日本", "null", "1", "true"]
NUMBERS = [0, 1, -1, 1.0, 1.5, -0.0, 10**20, 10**20 + 1, 1e300, 1e-7, 2, 3]
SCALARS = ["$eq", "$ne"]


class Maker:
    """Random metadata and filters."""

    def __init__(self, rng):
        self.rng = rng

    def scalar(self):
        return self.rng.choice([
            lambda: self.rng.choice(TEXTS), lambda: self.rng.choice(TEXTS), lambda: self.rng.choice(NUMBERS),
            lambda: self.rng.choice(NUMBERS), lambda: self.rng.random() < 0.5, lambda: None])()

    def value(self, depth=2):
        kind = self.rng.random()
        if depth and kind < 0.15:
            return [self.value(depth - 1) for _ in range(self.rng.randrange(4))]
        if depth and kind < 0.25:
            return {self.rng.choice(["p", "q", "0"]): self.value(depth - 1) for _ in range(self.rng.randrange(3))}
        return self.scalar()

    def metadata(self):
        names = ["a", "b", "c", "n", "x.y", "0", "Ä'\"; --"]
        result = {name: self.value() for name in self.rng.sample(names, self.rng.randrange(len(names) + 1))}
        if self.rng.random() < 0.6:
            result["o"] = self.rng.choice([
                {"p": self.scalar()}, {"p": {"q": self.scalar()}, "q": self.value()}, [self.scalar()], self.scalar(), {}])
        return result

    def bound(self):
        return self.rng.choice([self.rng.choice(TEXTS), self.rng.choice(NUMBERS)])

    def tests(self, depth):
        result = {}
        for _ in range(self.rng.choice([1, 1, 1, 2])):
            name = self.rng.choice(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$contains",
                                    "$not_contains", "$like", "$not", "$other"] if self.rng.random() < 0.9 else
                                   ["$regex", "$where", "$"])
            result[name] = {
                "$eq": self.value, "$ne": self.value, "$gt": self.bound, "$gte": self.bound, "$lt": self.bound,
                "$lte": self.bound, "$in": lambda: [self.value() for _ in range(self.rng.choice([0, 1, 3, 3, 70]))],
                "$nin": lambda: [self.value() for _ in range(self.rng.randrange(4))],
                "$exists": lambda: self.rng.random() < 0.5, "$contains": self.scalar, "$not_contains": self.scalar,
                "$like": lambda: "".join(self.rng.choice(["%", "_", "a", "b", "\\\\", "\\%", "é"])
                                         for _ in range(self.rng.randrange(5))),
                "$not": lambda: self.tests(depth - 1) if depth else {"$exists": True},
            }.get(name, self.value)() if self.rng.random() < 0.97 else self.value()
        return result

    def filter(self, depth=3):
        kind = self.rng.random()
        if depth and kind < 0.3:
            return {self.rng.choice(["$and", "$or"]): [self.filter(depth - 1) for _ in range(self.rng.choice([1, 2, 2, 3]))]}
        if depth and kind < 0.4:
            return {"$not": self.filter(depth - 1)}
        if depth and kind < 0.55:
            return self.clauses(depth)
        return {self.rng.choice(FIELDS): self.tests(depth) if self.rng.random() < 0.7 else self.value()
                for _ in range(self.rng.choice([1, 1, 1, 2, 0]))}

    def clauses(self, depth):
        result = {}
        for name in self.rng.sample(["must", "should", "must_not"], self.rng.choice([1, 1, 2, 3])):
            result[name] = [self.clause(depth - 1) for _ in range(self.rng.choice([0, 1, 1, 2]))]
        if self.rng.random() < 0.1:
            result["min_should"] = {"min_count": self.rng.randrange(3),
                                    "conditions": [self.clause(depth - 1) for _ in range(self.rng.randrange(4))]}
        return result

    def clause(self, depth):
        kind, key = self.rng.random(), self.rng.choice(FIELDS)
        if depth and kind < 0.15:
            return self.clauses(depth)
        if kind < 0.3:
            return {self.rng.choice(["is_empty", "is_null"]): {"key": key}}
        if kind < 0.5:
            names = self.rng.sample(["gt", "gte", "lt", "lte"], self.rng.choice([1, 2]))
            return {"key": key, "range": {name: self.bound() for name in names}}
        return {"key": key, "match": self.rng.choice([
            lambda: {"value": self.scalar()}, lambda: {"any": [self.scalar() for _ in range(self.rng.randrange(4))]},
            lambda: {"except": [self.scalar() for _ in range(self.rng.randrange(4))]},
            lambda: {"text": self.rng.choice(TEXTS)}])()}


def ask(connection, statement, parameters):
    """The set of ids, or the error's state."""
    try:
        with connection.transaction():
            return {row[0] for row in connection.execute(statement, parameters)}
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary


def main():
    rng = random.Random(seed_from("STORE_SEED"))
    make = Maker(rng)
    checks = Checks()
    connection = psycopg.connect(autocommit=True)
    connection.execute("CREATE EXTENSION IF NOT EXISTS vera_vec")
    for name, keys in ("docs", None), ("keyed", ["a", "n numeric", "b boolean", "o.p", "c"]):
        connection.execute("SELECT vera.create_collection(%s, 3, key_fields => %s)", (name, keys))
    documents = [json.dumps(make.metadata()) for _ in range(DOCUMENTS)]
    for name in "docs", "keyed":
        connection.execute("SELECT vera.add_documents(%s, %s, NULL, %s::veravec[], %s::jsonb[])", (
            name, [str(i) for i in range(DOCUMENTS)], [f"[{i % 7},{i % 11},1]" for i in range(DOCUMENTS)], documents))
        connection.execute(f"VACUUM ANALYZE {name}")
    search = f"SELECT id FROM vera.search('keyed', '[1,2,3]', {DOCUMENTS}, %s)"
    ways = {
        "get_documents": ("docs", "SELECT id FROM vera.get_documents('docs', filter => %s)"),
        "search": ("keyed", search),
        "search by the index": ("keyed", search),
    }
    refused = found = 0
    for number in range(FILTERS):
        filter_json = json.dumps(make.filter())
        expected = ask(connection, "SELECT id FROM docs WHERE vera.match(metadata, %s)", (filter_json,))
        problem = None
        if isinstance(expected, tuple):
            refused += 1
            if expected[0] != "22023" or not expected[1].startswith("invalid filter at $"):
                problem = f"match: {expected}"
        else:
            found += 0 < len(expected) < DOCUMENTS
        for way, (_, statement) in ways.items():
            if way == "search by the index":
                connection.execute("SET enable_seqscan = off; SET enable_sort = off")
            got = ask(connection, statement, (filter_json,))
            connection.execute("RESET enable_seqscan; RESET enable_sort")
            if got != expected:
                problem = f"{way}: {got if isinstance(got, tuple) else sorted(got ^ expected if isinstance(expected, set) else got)}, match: {expected if isinstance(expected, tuple) else len(expected)}"
                break
        checks.check(f"filter {number}: {filter_json}", problem)
    for name in "docs", "keyed":
        count = connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        checks.check(f"{name} is as it was", count != DOCUMENTS and f"{count} documents")
    print(f"{refused} refused, {found} passed by some documents only")
    checks.check("the filters are not trivial", FILTERS >= 1000 and not (FILTERS * 0.01 < refused < FILTERS * 0.7 and found > FILTERS * 0.15))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 0 if checks.passed and not checks.failed else 1


if __name__ == "__main__":
    sys.exit(main())
