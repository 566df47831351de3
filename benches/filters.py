"""Searches with a WHERE on an integer column, which half, a tenth, a hundredth, a thousandth of the rows satisfy.

PostgreSQL chooses the plan, as it would for anybody, first without and then with a btree on the column; which one it chose is
in the results. An approximate index may then return too few rows, or other ones: hence rows returned, and recall.
"""

import statistics

import numpy as np

from common import quantile, timed
from contenders import Sql
from search import distances, recall, same_answer
from tables import in_part

PERCENT = (50, 10, 1, 0.1)
K = 10


def contenders(where, approximate):
    found = [Sql("vera_vec", "ours", where=where)]
    if approximate:
        found += [Sql("pgvector, exact", "theirs", "SET enable_indexscan = off", where=where),
                  Sql("pgvector HNSW", "theirs", exact=False, where=where),
                  Sql("pgvector HNSW, iterative", "theirs", "SET hnsw.iterative_scan = strict_order", exact=False, where=where)]
    return found


def bench(connection, vectors, queries, approximate, mismatches):
    results = []
    parts = in_part(np.arange(len(vectors)))
    tables = ("ours", "theirs") if approximate else ("ours",)
    for btree in ("no", "yes"):
        if btree == "yes":
            for table in tables:
                connection.execute(f"CREATE INDEX ON {table} (part)")
                connection.execute(f"ANALYZE {table}")
        for percent in PERCENT:
            limit = int(percent * 10)
            allowed = np.flatnonzero(parts < limit)
            expected = [allowed[np.argsort(distances(vectors, q, allowed), kind="stable")[:K]].tolist() for q in queries]
            for result in race(contenders(f"WHERE part < {limit}", approximate), vectors, queries, expected, mismatches):
                results.append({"rows that pass, %": percent, "btree": btree, **result})
    return results


def race(racers, vectors, queries, expected, mismatches):
    prepared = [racers[0].prepare(query) for query in queries]
    seconds, answers, plans = {}, {}, {}
    for racer in racers:
        racer.open()
        racer.search(prepared[-1], K)
        plans[racer.name] = racer.explain(K)
        seconds[racer.name], answers[racer.name] = [], []
    for parameters in prepared:
        for racer in racers:
            taken, answer = timed(lambda: racer.search(parameters, K))
            seconds[racer.name].append(taken)
            answers[racer.name].append(answer)
    for racer in racers:
        racer.close()
        own, took = answers[racer.name], seconds[racer.name]
        if racer.exact:
            for query, found, wanted in zip(queries, own, expected):
                mismatches.check(f"{racer.name}, {racer.where}", vectors, query, found, wanted)
        yield {"contender": racer.name, "median_ms": statistics.median(took) * 1e3, "p95_ms": quantile(took, 0.95) * 1e3,
               "rows returned": statistics.mean(map(len, own)), "fewest": min(map(len, own)),
               "recall": statistics.mean(map(recall, own, expected)), "plan": plans[racer.name]}
