"""Searches with a WHERE on an integer column, which half, a tenth, a hundredth, a thousandth of the rows satisfy.

PostgreSQL chooses the plan, as it would for anybody: first without another index, then with a btree on the column, then with the column
as a key column of ours; which one it chose is in the results. "bitmap and sort" is what it does for the same table without ours. An approximate index may then return too few rows, or other ones: hence rows returned, and recall.
"""

import numpy as np

from contenders import Sql
from search import distances, race
from tables import in_part

PERCENT = (50, 10, 1, 0.1)
K = 10


def contenders(where, approximate):
    found = [Sql("vera_vec", "ours", where=where),
             Sql("vera_vec, bitmap and sort", "ours", "SET enable_indexscan = off; SET vera_vec.enable_filter_first = off", where=where)]
    if approximate:
        found += [Sql("pgvector, exact", "theirs", "SET enable_indexscan = off", where=where),
                  Sql("pgvector HNSW", "theirs", exact=False, where=where),
                  Sql("pgvector HNSW, iterative", "theirs", "SET hnsw.iterative_scan = strict_order", exact=False, where=where)]
    return found


def bench(connection, vectors, queries, approximate, mismatches):
    results = []
    parts = in_part(np.arange(len(vectors)))
    tables = ("ours", "theirs") if approximate else ("ours",)
    for other in ("none", "btree", "key column"):
        if other == "key column":
            connection.execute("CREATE INDEX ours_keys ON ours USING veraflat (embedding, part)")
            connection.execute("ANALYZE ours")
        if other == "btree":
            for table in tables:
                connection.execute(f"CREATE INDEX ON {table} (part)")
                connection.execute(f"ANALYZE {table}")
        for percent in PERCENT:
            limit = int(percent * 10)
            allowed = np.flatnonzero(parts < limit)
            expected = [allowed[np.argsort(distances(vectors, q, allowed), kind="stable")[:K]].tolist() for q in queries]
            racers = contenders(f"WHERE part < {limit}", approximate and other != "key column")
            for racer, result in zip(racers, race(racers, vectors, queries, K, mismatches, expected)):
                results.append({"rows that pass, %": percent, "other index": other, **result, "plan": racer.reads})
    connection.execute("DROP INDEX ours_keys")
    return results
