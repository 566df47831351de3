"""One index on vectors of every type: ours, of single and of half precision, and pgvector's through the bridge. Size of the table, build, and the ten
nearest by cosine distance, in turns. Usage: element_types.py RESULTS.csv, with the environment of an empty server; without pgvector, ours only."""

import os
import statistics
import sys
import time

import numpy as np
import psycopg

from common import ROWS, copy_into, literal, print_table, sets_of, text, timed, write_csv

DIMENSIONS = [int(d) for d in os.environ.get("BENCH_DIMENSIONS", "384 1536").split()]
ROUNDS = 7


def bench(connection, types, vectors, queries):
    dim = vectors.shape[1]
    data = text(vectors, "[]")
    results = {name: {"type": name} for name in types}
    for name in types:
        connection.execute(f"DROP TABLE IF EXISTS {name}_table; CREATE TABLE {name}_table (id int, embedding {name}({dim}))")
        results[name]["COPY s"] = copy_into(connection, f"{name}_table", data)
        connection.execute(f"VACUUM ANALYZE {name}_table")
        results[name]["table MiB"] = connection.execute(f"SELECT pg_table_size('{name}_table') / 1048576.0").fetchone()[0].__float__()
    builds = {name: [] for name in types}
    for _ in range(3):
        for name in types:
            connection.execute(f"DROP INDEX IF EXISTS {name}_index")
            builds[name].append(timed(lambda: connection.execute(f"CREATE INDEX {name}_index ON {name}_table USING veraflat (embedding)"))[0])
    seconds = {name: [] for name in types}
    for _ in range(ROUNDS):
        for query in map(literal, queries):
            for name in types:
                statement = f"SELECT id, embedding <=> %(q)s::{name} FROM {name}_table ORDER BY embedding <=> %(q)s::{name} LIMIT 10"
                took, rows = timed(lambda: connection.execute(statement, {"q": query}, prepare=True).fetchall())
                seconds[name].append(took)
                assert len(rows) == 10
    # The index's answer is the sequential scan's.
    for name in types:
        statement = f"SELECT embedding <=> %(q)s::{name} FROM {name}_table ORDER BY 1 LIMIT 10"
        for query in map(literal, queries[:3]):
            by_index = connection.execute(statement, {"q": query}).fetchall()
            connection.execute("SET enable_indexscan = off")
            assert connection.execute(statement, {"q": query}).fetchall() == by_index, name
            connection.execute("RESET enable_indexscan")
    base = types[0]
    for name in types:
        results[name] |= {
            "build s": statistics.median(builds[name]), "of veravec's build": statistics.median(builds[name]) / statistics.median(builds[base]),
            "query ms": statistics.median(seconds[name]) * 1e3,
            "of veravec's query": statistics.median(np.array(seconds[name]) / np.array(seconds[base]))}
    return list(results.values())


def main():
    connection = psycopg.connect("", autocommit=True)
    connection.execute("CREATE EXTENSION IF NOT EXISTS vera_vec")
    types = ["veravec", "verahalfvec"]
    if connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone():
        connection.execute("CREATE EXTENSION vector; CREATE EXTENSION vera_vec_pgvector")
        types += ["vector", "halfvec"]
    rows = []
    for name, vectors, queries in sets_of(DIMENSIONS, ROWS, 50):
        print(f"\n{name}, {len(vectors):,} x {vectors.shape[1]}, PostgreSQL {connection.execute('SHOW server_version').fetchone()[0]},"
              f" {time.strftime('%Y-%m-%d')}; warm, one client, in turns, medians")
        results = bench(connection, types, vectors, queries)
        print_table("Types", results)
        rows += [{"data": name, "dimensions": vectors.shape[1], **result} for result in results]
    write_csv(sys.argv[1], rows)


if __name__ == "__main__":
    main()
