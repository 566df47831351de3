"""Random searches of the document store, each beside the same thing done without it: by the sequential scan and Python.

Collections of every metric with duplicates, zero vectors and documents without a vector; searches with filters, limits, k
and skip of all sizes; groups, diversity, recommendations, text and vector. SEARCHES_SEED repeats a run, SEARCHES is the
number of searches. Needs the environment of a server whose database is empty.
"""

import json
import math
import os
import pathlib
import random
import sys

import numpy as np
import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cluster"))
from common import SEQUENTIAL, Checks, seed_from  # noqa: E402

SEARCHES = int(os.environ.get("SEARCHES", 600))
DIM, DOCUMENTS = 12, 700
WORDS = ["apple", "pear", "plum", "tree", "river", "stone", "light"]
OPERATORS = {"cosine": "<=>", "l2": "<->", "ip": "<#>", "l1": "<+>"}
SCORES = {"cosine": lambda d: 1 - d, "ip": lambda d: -d, "l2": lambda d: 1 / (1 + d), "l1": lambda d: 1 / (1 + d)}
FILTERS = [  # a filter, and the same in Python
    (None, lambda m: True),
    ({"tenant": "t3"}, lambda m: m.get("tenant") == "t3"),
    ({"tenant": {"$in": ["t1", "t2"]}}, lambda m: m.get("tenant") in ("t1", "t2")),
    ({"year": {"$gte": 1950}}, lambda m: m.get("year", 0) >= 1950),
    ({"lang": "de"}, lambda m: m.get("lang") == "de"),
    ({"$or": [{"lang": "en"}, {"year": 1990}]}, lambda m: m.get("lang") == "en" or m.get("year") == 1990),
    ({"lang": {"$ne": "en"}, "tenant": "t1"}, lambda m: m.get("lang") != "en" and m.get("tenant") == "t1"),
    ({"must_not": [{"key": "tenant", "match": {"any": ["t0", "t1"]}}]}, lambda m: m.get("tenant") not in ("t0", "t1")),
    ({"year": 3000}, lambda m: False),
]


def text_of(vector):
    return "[" + ",".join(str(x) for x in vector) + "]"


def key(distance):
    """NaN after all numbers."""
    return (math.isnan(distance), distance)


def same(a, b, tolerance=0.0):
    """Whether two lists of numbers agree; NaN is NaN."""
    return len(a) == len(b) and all(
        x == y or (math.isnan(x) and math.isnan(y)) or abs(x - y) <= tolerance for x, y in zip(a, b))


class Subject:
    """A collection, and its documents in Python."""

    def __init__(self, connection, rng, metric, duplicates):
        self.connection, self.rng, self.metric, self.operator = connection, rng, metric, OPERATORS[metric]
        self.ways = ["search"] * 5 + ["batch", "groups", "groups", "recommend", "recommend"]
        # What these choose depends on the order of documents at the same distance, which may be any.
        self.ways += [] if duplicates else ["mmr", "hybrid"]
        self.name = f"docs {metric} {duplicates}"
        self.table = f'"{self.name}"'
        connection.execute("SELECT vera.create_collection(%s, %s, %s, ARRAY['tenant', 'year numeric'])", (self.name, DIM, metric))
        vectors, self.metadata, contents = [], {}, []
        for i in range(DOCUMENTS):
            kind = rng.random()
            zero = kind < 0.04 and (duplicates or metric == "cosine")  # where its distance is NaN
            vectors.append(None if kind < 0.02 else np.zeros(DIM, np.float32) if zero else
                           vectors[rng.randrange(i)] if kind < 0.1 and i and duplicates else self.vector())
            metadata = {"tenant": f"t{rng.randrange(6)}", "year": rng.randrange(1900, 2000), "lang": rng.choice(["en", "de", "fr"])}
            self.metadata[str(i)] = {name: value for name, value in metadata.items() if rng.random() < 0.9}
            contents.append(" ".join(rng.choices(WORDS, k=4)) if rng.random() < 0.9 else None)
        connection.execute("SELECT vera.add_documents(%s, %s, %s, %s::veravec[], %s::jsonb[])", (
            self.name, list(self.metadata), contents, [None if v is None else text_of(v) for v in vectors],
            [json.dumps(m) for m in self.metadata.values()]))
        self.vectors = {str(i): v for i, v in enumerate(vectors) if v is not None}
        if rng.random() < 0.8:
            connection.execute(f"VACUUM ANALYZE {self.table}")

    def vector(self):
        return np.array([self.rng.gauss(0.1, 1) for _ in range(DIM)], dtype=np.float32)

    def distances(self, query):
        """Of each document to the query, as the operator says, by the sequential scan."""
        with self.connection.transaction():
            self.connection.execute(SEQUENTIAL.replace("SET ", "SET LOCAL "))
            return dict(self.connection.execute(
                f"SELECT id, embedding {self.operator} %s::veravec FROM {self.table} WHERE embedding IS NOT NULL", (text_of(query),)).fetchall())

    def pick(self):
        """A filter as JSON, and the distances to a query of the documents that pass it, in order."""
        filter, passes = self.rng.choice(FILTERS)
        query = self.vector() if self.rng.random() < 0.9 else next(iter(self.vectors.values()))
        distances = {i: d for i, d in self.distances(query).items() if passes(self.metadata[i])}
        return filter and json.dumps(filter), text_of(query), dict(sorted(distances.items(), key=lambda item: key(item[1])))

    def ask(self, call, *arguments):
        return self.connection.execute(f"SELECT * FROM vera.{call}", (self.name, *arguments)).fetchall()

    # Each of these gives what is wrong, or None.

    def search(self):
        filter, query, distances = self.pick()
        k, skip = self.rng.choice([1, 5, 20, 1000]), self.rng.choice([0, 0, 3, 900])
        score = SCORES[self.metric]
        numbers = list(distances.values())
        # Limits are those of some document half of the time, to the last bit.
        edge = self.rng.choice(numbers) if numbers and self.rng.random() < 0.5 else math.nan
        edge = self.rng.uniform(-1, 4) if math.isnan(edge) else edge
        maximum = self.rng.choice([None, None, edge])
        least = self.rng.choice([None, None, score(edge)])
        within = [d for d in numbers if (maximum is None or key(d) <= key(maximum)) and (least is None or score(d) >= least)]
        rows = self.ask("search(%s, %s, %s, %s, max_distance => %s, min_score => %s, skip => %s)", query, k, filter, maximum, least, skip)
        if not same([row[4] for row in rows], within[skip:skip + k]):
            return f"{filter} k {k} skip {skip} maximum {maximum} least {least}: {[row[4] for row in rows][:5]}, not {within[skip:skip + k][:5]}"
        if any(not same([row[4], row[5]], [distances.get(row[0], -99), score(row[4])]) or row[2] != self.metadata[row[0]] for row in rows):
            return f"{filter}: another document's distance, score or metadata"
        return None

    def batch(self):
        queries = [text_of(self.vector()) for _ in range(3)]
        rows = self.ask("search_batch(%s, %s::veravec[], 4)", queries)
        each = [(n + 1, *row) for n, query in enumerate(queries) for row in self.ask("search(%s, %s, 4)", query)]
        return rows != each and "not what single searches give"

    def groups(self):
        filter, query, distances = self.pick()
        field, groups, per_group = self.rng.choice(["tenant", "year", "lang"]), self.rng.choice([1, 4, 200]), self.rng.choice([1, 3])
        best = {}
        for i, distance in distances.items():
            if field in self.metadata[i]:
                best.setdefault(self.metadata[i][field], []).append(distance)
        rows = self.ask("search_groups(%s, %s, %s, %s, %s, %s)", query, field, groups, per_group, filter)
        found = {}
        for row in rows:
            found.setdefault(row[0], []).append(row[5])
            if self.metadata[row[1]][field] != row[0]:
                return f"{filter} {field}: a document in another's group"
        # Groups whose nearest documents are duplicates may change places.
        nearest = [ds[0] for ds in list(best.values())[:groups]]
        if not same([ds[0] for ds in found.values()], nearest):
            return f"{filter} {field} {groups} groups: {list(found.items())[:6]}, not {nearest[:6]}"
        wrong = [g for g, ds in found.items() if not same(ds, best[g][:per_group])]
        return wrong and f"{filter} {field} {per_group} of {wrong}: {found[wrong[0]]}, not {best[wrong[0]]}"

    def mmr(self):
        filter, query, distances = self.pick()
        k, candidates, weight = self.rng.choice([1, 4, 9]), self.rng.choice([9, 30]), self.rng.choice([0.0, 0.3, 0.7, 1.0])
        rows = self.ask("search_mmr(%s, %s, %s, %s, %s, %s)", query, k, weight, candidates, filter)
        score = SCORES[self.metric]
        pool = [i for i, d in distances.items() if not math.isnan(d)][:candidates]
        between = {i: self.distances(self.vectors[i]) for i in pool}
        chosen, values = [], []
        while len(chosen) < min(k, len(pool)):
            def value(i):
                closest = max((s for s in (score(between[j][i]) for j in chosen) if not math.isnan(s)), default=0)
                return weight * score(distances[i]) - (1 - weight) * closest
            best = max((i for i in pool if i not in chosen), key=value)
            values.append(value(best))
            chosen.append(best)
        return not same([row[6] for row in rows], values, 1e-6) and f"{filter} {k} {weight}: {[row[6] for row in rows]}, not {values}"

    def recommend(self):
        ids = self.rng.sample([i for i, v in self.vectors.items() if v.any()], 5)
        positive, negative = ids[:self.rng.choice([1, 3])], ids[3:self.rng.choice([3, 5])]
        strategy, k = self.rng.choice(["average", "best_score"]), self.rng.choice([1, 10])
        rows = self.ask("recommend(%s, %s, %s, %s, %s)", positive, negative, k, strategy)
        others = [i for i in self.vectors if i not in positive + negative]
        score = SCORES[self.metric]
        if strategy == "average":
            target = np.mean([self.vectors[i] for i in positive], axis=0, dtype=np.float64)
            if negative:
                target = 2 * target - np.mean([self.vectors[i] for i in negative], axis=0, dtype=np.float64)
            found = self.distances(target.astype(np.float32))
            got, expected = [row[4] for row in rows], sorted((found[i] for i in others), key=key)[:k]
        else:
            def best(examples):
                scores = [{i: score(d) for i, d in self.distances(self.vectors[e]).items()} for e in examples]
                return {i: max(s[i] for s in scores) if scores else -math.inf for i in others}
            squash = lambda x: (1 + x / (1 + abs(x))) / 2  # noqa: E731
            p, n = best(positive), best(negative)
            got = [row[5] for row in rows]
            expected = sorted((squash(p[i]) if p[i] > n[i] else -squash(n[i]) for i in others if not math.isnan(p[i])), reverse=True)[:k]
        wrong = not same(got, expected, 1e-4) or any(row[0] in ids[:3] and row[0] in positive or row[0] in negative for row in rows)
        return wrong and f"{strategy} {positive} {negative}: {got}, not {expected}"

    def hybrid(self):
        filter, query, distances = self.pick()
        words, k = self.rng.choice(["apple", "river or stone", "plum tree", "nothing"]), self.rng.choice([1, 10])
        condition = "AND vera.match(metadata, %s)" if filter else ""
        texts = self.connection.execute(
            f"SELECT id FROM {self.table}, websearch_to_tsquery('english', %s) q WHERE to_tsvector('english', content) @@ q {condition}"
            " ORDER BY ts_rank_cd(to_tsvector('english', content), q)::float8 DESC, id LIMIT 100", (words, *([filter] if filter else []))).fetchall()
        near = [i for i, d in distances.items() if not math.isnan(d)][:100]
        scores = {}
        for ranking in near, [row[0] for row in texts]:
            for rank, i in enumerate(ranking, 1):
                scores[i] = scores.get(i, 0) + 1 / (60 + rank)
        rows = self.ask("hybrid_search(%s, %s, %s, %s, filter => %s, language => 'english')", query, words, k, filter)
        expected = sorted(scores.values(), reverse=True)[:k]
        return not same([row[6] for row in rows], expected, 1e-12) and f"{words} {filter}: {[row[6] for row in rows]}, not {expected}"


def main():
    rng = random.Random(seed_from("SEARCHES_SEED"))
    checks = Checks()
    connection = psycopg.connect(autocommit=True)
    connection.execute("CREATE EXTENSION IF NOT EXISTS vera_vec")
    subjects = [Subject(connection, rng, metric, duplicates) for metric in OPERATORS for duplicates in (False, True)]
    for number in range(SEARCHES):
        subject = rng.choice(subjects)
        way = rng.choice(subject.ways)
        connection.execute("RESET ALL" if rng.random() < 0.5 else "SET enable_seqscan = off; SET enable_sort = off")
        checks.check(f"{number}: {way}, {subject.name}", getattr(subject, way)())
    for subject in subjects:
        connection.execute("SELECT vera.delete_collection(%s)", (subject.name,))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 0 if checks.passed and not checks.failed else 1


if __name__ == "__main__":
    sys.exit(main())
