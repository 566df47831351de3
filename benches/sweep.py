"""The plans of a filtered search, and which of them the planner chooses: selectivities x LIMITs x rows, each plan forced by settings.

Table `plain` has an index veraflat (embedding), `keyed` the same rows and an index veraflat (embedding, column); both have btrees on the
columns of the filter: `part` knows nothing of the vectors, `slice` is where they lie in one direction, so that a filter cuts a half-space
off. EXPLAIN has to show that a forced plan is the one it is called; one that is not to be had at a point is left out, with a word. What the
planner chooses by itself is compared with the fastest plan of its table. All answers are compared with the sequential scan's: a mismatch
is an error, and the exit status; times never are. The first data set, or those of BENCH_DIMENSIONS, with a tenth of BENCH_ROWS and with all.
Usage: sweep.py CSV_FILE, with the environment of a server whose database is empty.
"""

import itertools
import os
import statistics
import sys
import time

import numpy as np
import psycopg

from common import ROWS, binary, copy_into, data_sets, literal, print_table, sets_of, timed, write_csv
from search import Mismatches
from tables import COPY_ROWS

PERCENT = (0.01, 0.1, 1, 5, 10, 25, 50, 100)
LIMITS = (1, 10, 100, 1000)
SHARES = (10, 1)
COLUMNS = ("part", "slice")
VALUES = 10_000   # of each column, equally frequent
QUERIES = int(os.environ.get("BENCH_QUERY_COUNT", 7))
TURNS = int(os.environ.get("BENCH_REPEATS", 2))
SLOW = 2.0        # seconds, after which a plan is asked no more at a point
TOLERATED = 2     # how many times as long as the best plan a good choice takes
WORST = 12
STARTED = time.perf_counter()

# Sorting is forbidden to those that need none, or a btree's scan could take the place of the index's.
FORCED = {"sequential": ("plain", "enable_indexscan = off; enable_bitmapscan = off; max_parallel_workers_per_gather = 0"),
          "bitmap": ("plain", "enable_seqscan = off; enable_indexscan = off; vera_vec.enable_filter_first = off;"
                              " max_parallel_workers_per_gather = 0"),
          "index": ("plain", "enable_seqscan = off; enable_bitmapscan = off; enable_sort = off"),
          "filter first": ("plain", "enable_seqscan = off; enable_indexscan = off; enable_sort = off"),
          "keys": ("keyed", "enable_seqscan = off; enable_bitmapscan = off; enable_sort = off")}
# Forced plans that a table has; sequential and bitmap scans are alike on both.
OF_TABLE = {"plain": ("sequential", "bitmap", "index", "filter first"), "keyed": ("sequential", "bitmap", "keys")}


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def name_of(plan):
    """What this file calls a plan that EXPLAIN shows."""
    parallel = any(node["Node Type"].startswith("Gather") for node in nodes(plan))
    reader = next(node for node in nodes(plan) if "Relation Name" in node)
    node = reader.get("Custom Plan Provider", reader["Node Type"])
    name = {"Seq Scan": "sequential", "Bitmap Heap Scan": "bitmap", "VeraFilterFirst": "filter first", "Index Scan": "btree"}.get(node, node)
    if name == "btree" and "Order By" in reader:
        name = "keys" if "Index Cond" in reader else "index"
    return f"parallel {name}" if parallel else name


class Plan:
    """A connection with settings of its own, on which a point's statement is prepared."""

    def __init__(self, table, settings=""):
        self.table = table
        # Nothing is prepared but by ourselves.
        self.connection = psycopg.connect("", autocommit=True, prepare_threshold=None)
        for setting in ["plan_cache_mode = force_generic_plan", *filter(None, settings.split(";"))]:
            self.connection.execute(f"SET {setting}")

    def prepare(self, where, limit, query):
        """Prepares; name and cost of the plan."""
        self.connection.execute("DEALLOCATE ALL")
        self.connection.execute(f"PREPARE point(veravec) AS SELECT id FROM {self.table} WHERE {where} ORDER BY embedding <=> $1 LIMIT {limit}")
        (plan,) = self.connection.execute(f"EXPLAIN (FORMAT json) EXECUTE point('{query}')").fetchone()[0]
        self.name, self.cost = name_of(plan["Plan"]), plan["Plan"]["Total Cost"]
        self.seconds, self.answers, self.spent = [], {}, 0.0

    def ask(self, number, query, counts=True):
        """Only while the plan has not been slow; the first answer of a slow one counts."""
        if self.spent > SLOW:
            return
        taken, rows = timed(lambda: self.connection.execute(f"EXECUTE point('{query}')").fetchall())
        self.spent += taken
        self.answers[number] = [row[0] for row in rows]
        if counts or taken > SLOW:
            self.seconds.append(taken)

    def median_ms(self):
        return statistics.median(self.seconds) * 1e3


def measure(plans, queries):
    """Plans take turns in blocks: each asks all queries, so that it is as warm as the plan of a service is."""
    for plan in plans:
        plan.ask(0, queries[0], counts=False)
    for _ in range(TURNS):
        for plan in plans:
            for number, query in enumerate(queries):
                plan.ask(number, query)


def columns_of(vectors):
    """The columns of the filter, in the order of COLUMNS: numbers below VALUES."""
    rng = np.random.default_rng(11)
    ids = np.arange(len(vectors), dtype=np.int64)
    # The direction from a row to another, because data lie more along it than along one that ignores them.
    one, other = vectors[rng.choice(len(vectors), 2, replace=False)]
    slices = np.empty(len(vectors), dtype=np.int64)
    slices[np.argsort(vectors @ (other - one), kind="stable")] = ids * VALUES // len(vectors)
    return ids * 7919 % VALUES, slices


def load(connection, vectors):
    columns = columns_of(vectors)
    connection.execute("DROP TABLE IF EXISTS plain, keyed")
    connection.execute(f"CREATE TABLE plain (id int, embedding veravec({vectors.shape[1]}), part int, slice int)")
    for first in range(0, len(vectors), COPY_ROWS):
        some = slice(first, first + COPY_ROWS)
        copy_into(connection, "plain", binary(vectors[some], first, [column[some] for column in columns]), "(FORMAT binary)")
    connection.execute("CREATE TABLE keyed (LIKE plain)")
    connection.execute("INSERT INTO keyed SELECT * FROM plain")
    for table, column in itertools.product(("plain", "keyed"), COLUMNS):
        connection.execute(f"CREATE INDEX ON {table} ({column})")
    connection.execute("CREATE INDEX plain_index ON plain USING veraflat (embedding)")
    for table in ("plain", "keyed"):
        connection.execute(f"VACUUM ANALYZE {table}")


def bench_point(plans, choices, where, limit, vectors, queries, mismatches):
    """A result: milliseconds and cost of each plan, and for each table what was chosen."""
    texts = [literal(query) for query in queries]
    for plan in [*plans.values(), *choices.values()]:
        plan.prepare(where, limit, texts[0])
    there = {name: plan for name, plan in plans.items() if plan.name == name}
    point = f"{len(vectors):,} rows, {where}, LIMIT {limit}"
    for name in plans.keys() - there.keys():
        print(f"  without {name} at {point}: the plan is {plans[name].name}", flush=True)
    available = {table: {name: there[name] for name in names if name in there} for table, names in OF_TABLE.items()}
    # A choice that is none of the forced plans, a parallel scan or a btree's, is measured beside them.
    for table, choice in choices.items():
        available[table].setdefault(choice.name, choice)
    taking_part = {id(plan): plan for some in available.values() for plan in some.values()}.values()
    measure(taking_part, texts)
    for plan in taking_part:
        numbers = sorted(plan.answers.keys() & there["sequential"].answers.keys())
        mismatches.check(f"{plan.table}, {plan.name}, {point}", vectors, [queries[n] for n in numbers],
                         [plan.answers[n] for n in numbers], [there["sequential"].answers[n] for n in numbers])
    result = {name: there[name].median_ms() if name in there else None for name in FORCED}
    for table, choice in choices.items():
        ms = {name: plan.median_ms() for name, plan in available[table].items()}
        best = min(ms, key=ms.get)
        result |= {f"{table}: chosen": choice.name, f"{table}: chosen ms": ms[choice.name], f"{table}: best": best,
                   f"{table}: chosen ÷ best": ms[choice.name] / ms[best], f"{table}: cost of chosen": choice.cost,
                   f"{table}: cost of best": available[table][best].cost}
    return result | {f"cost of {name}": there[name].cost if name in there else None for name in FORCED}


def bench_table(connection, name, vectors, queries, mismatches):
    load(connection, vectors)
    results = []
    for column in COLUMNS:
        # Sorted by the column when it is built, so one for each.
        connection.execute("DROP INDEX IF EXISTS keyed_index")
        connection.execute(f"CREATE INDEX keyed_index ON keyed USING veraflat (embedding, {column})")
        plans = {name: Plan(*how) for name, how in FORCED.items()}
        choices = {table: Plan(table) for table in OF_TABLE}
        part = []
        for percent, limit in itertools.product(PERCENT, LIMITS):
            where = f"{column} < {round(VALUES * percent / 100)}"
            result = bench_point(plans, choices, where, limit, vectors, queries, mismatches)
            part.append({"pass, %": percent, "LIMIT": limit, **result})
        for plan in [*plans.values(), *choices.values()]:
            plan.connection.close()
        label = {"data": name, "rows": len(vectors), "dimensions": vectors.shape[1], "column": column}
        shown = ("pass, %", "LIMIT", *FORCED, *(f"{table}: {what}" for table in OF_TABLE for what in ("chosen", "chosen ÷ best")))
        print_table(f"ms: {' | '.join(map(str, label.values()))}   [{time.perf_counter() - STARTED:.0f} s]",
                    [{field: result[field] for field in shown} for result in part])
        results += [{**label, **result} for result in part]
    return results


def tell_choices(results):
    """How good they were, and the worst."""
    choices = [{"rows": result["rows"], "dimensions": result["dimensions"], "column": result["column"], "pass, %": result["pass, %"],
                "LIMIT": result["LIMIT"], "table": table,
                **{what: result[f"{table}: {what}"] for what in ("chosen", "best", "chosen ms", "chosen ÷ best", "cost of chosen", "cost of best")}}
               for table in OF_TABLE for result in results]
    groups = [(table, column, rows) for table in OF_TABLE for column in COLUMNS for rows in dict.fromkeys(result["rows"] for result in results)]
    told = []
    for table, column, rows in [*groups, *((table, None, None) for table in OF_TABLE)]:
        ratios = [c["chosen ÷ best"] for c in choices if c["table"] == table and column in (None, c["column"]) and rows in (None, c["rows"])]
        told.append({"table": table, "column": column or "both", "rows": rows or "all", "points": len(ratios),
                     f"within {TOLERATED} times, %": 100 * statistics.mean(ratio <= TOLERATED for ratio in ratios), "worst": max(ratios)})
    print_table("Choices: how many take at most so many times as long as the best plan", told)
    print_table("The worst choices", sorted(choices, key=lambda choice: -choice["chosen ÷ best"])[:WORST])


def main(csv_file):
    mismatches, results = Mismatches(), []
    dimensions = tuple(map(int, os.environ.get("BENCH_DIMENSIONS", "").split()))
    sets = sets_of(dimensions, ROWS, QUERIES) if dimensions else itertools.islice(data_sets(ROWS, QUERIES), 1)
    with psycopg.connect("", autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vera_vec")
        server, level = connection.execute("SELECT split_part(version(), ' on ', 1), vera_vec_simd_level()").fetchone()
        print(f"Conditions: {server}, vera_vec at {level}; {os.cpu_count()} cores; warm; one client; prepared statements; cosine distance;"
              f" medians of {QUERIES} queries, {TURNS} times; a plan that has taken {SLOW:.0f} s at a point is asked no more there.")
        for name, vectors, queries in sets:
            for share in SHARES:
                results += bench_table(connection, name, np.ascontiguousarray(vectors[:len(vectors) // share]), queries, mismatches)
    write_csv(csv_file, [{k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in result.items()} for result in results])
    tell_choices(results)
    if mismatches.count:
        raise SystemExit(f"ERROR: {mismatches.count} answers are not the sequential scan's")
    print(f"\nAll plans' answers agree.   [{time.perf_counter() - STARTED:.0f} s]")


if __name__ == "__main__":
    main(*sys.argv[1:])
