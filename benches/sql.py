"""Exact search and COPY through SQL, beside pgvector on the same server if it has it.

Contenders take turns, so that a machine that slows down slows all of them; figures are medians, with the least and
the most. Data: common.py's, of which the first file; 1,536 dimensions are made of four rows of 384.
Usage: sql.py CSV_FILE, with the environment of a server whose database is empty.
"""

import os
import platform
import statistics
import sys
import time

import numpy as np
import psycopg

from common import ROWS, binary, copy, literal, load_embeddings, multiply, text, write_csv

REPEATS = int(os.environ.get("BENCH_REPEATS", 11))
RESULTS = []


def race(what, contenders, repeats=REPEATS, reference=None):
    """Runs the contenders in turn; prints and keeps what each took."""
    seconds = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            seconds[name].append(run())
    base = statistics.median(seconds[reference or next(iter(contenders))])
    for name, values in seconds.items():
        median = statistics.median(values)
        RESULTS.append({"what": what, "contender": name, "median_ms": round(median * 1e3, 1), "min_ms": round(min(values) * 1e3, 1),
                        "max_ms": round(max(values) * 1e3, 1), "ratio": round(median / base, 2)})
        print("{what:46} {contender:32} {median_ms:9} ms  ({min_ms} to {max_ms})  x {ratio}".format(**RESULTS[-1]), flush=True)


def searcher(connection, table, operator, type_name, query, workers):
    name = f"q_{table}_{workers}_{len(RESULTS)}_{abs(hash(operator))}"
    connection.execute(f"PREPARE {name}({type_name}) AS SELECT id FROM {table} ORDER BY embedding {operator} $1 LIMIT 10")

    def run():
        connection.execute(f"SET max_parallel_workers_per_gather = {workers}")
        started = time.perf_counter()
        found = connection.execute(f"EXECUTE {name}('{query}')").fetchall()
        seconds = time.perf_counter() - started
        assert len(found) == 10
        return seconds

    run()
    return run


def main(csv_file):
    connection = psycopg.connect("", autocommit=True)
    connection.execute("CREATE EXTENSION vera_vec")
    types = ["veravec"]
    pgvector = None
    if connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone():
        connection.execute("CREATE EXTENSION vector")
        pgvector = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()[0]
        types.append("vector")
    base, source = load_embeddings()
    server, level = connection.execute("SELECT split_part(version(), ' on ', 1), vera_vec_simd_level()").fetchone()
    print(f"Conditions: {server}, vera_vec at {level}, pgvector {pgvector}; {os.cpu_count()} cores, {platform.machine()};"
          f" data {source}; warm; one client; median of {REPEATS} (least to most); ratio to the first of each group.\n")
    # So that small heaps with vectors in TOAST are scanned in parallel too, for both.
    connection.execute("SET min_parallel_table_scan_size = 0")

    sample = multiply(base, min(ROWS, 20_000))
    rows, dim = sample.shape
    texts = {"veravec": text(sample, "[]"), "real[]": text(sample, "{}")}
    if pgvector:
        texts["vector"] = texts["veravec"]
    race(f"COPY text, {rows} x {dim}",
         {t: lambda t=t: copy(connection, "copied", f"id int, embedding {t}", texts[t]) for t in ["real[]", "veravec", *types[1:]]},
         repeats=5)
    message = binary(sample)
    race(f"COPY binary, {rows} x {dim}",
         {t: lambda t=t: copy(connection, "copied", f"id int, embedding {t}", message, "(FORMAT binary)") for t in types}, repeats=5)
    connection.execute("DROP TABLE copied")

    narrow = multiply(base, ROWS)
    rng = np.random.default_rng(2)
    wide = np.hstack([narrow[rng.permutation(ROWS)] for _ in range(4)])
    for vectors in (narrow, wide):
        dim = vectors.shape[1]
        message = binary(vectors)
        for t in types:
            copy(connection, f"{t}_{dim}", f"id int, embedding {t}({dim})", message, "(FORMAT binary)")
            connection.execute(f"VACUUM ANALYZE {t}_{dim}")
        del message
        query = literal(vectors[7] * 0.7 + vectors[11] * 0.3)
        for operator, metric in (("<=>", "cosine"), ("<->", "L2"), ("<#>", "inner product")):
            for workers, how in ((0, "serial"), (2, "2 workers")):
                race(f"{ROWS} x {dim}, top 10 {metric}, {how}",
                     {t: searcher(connection, f"{t}_{dim}", operator, t, query, workers) for t in reversed(types)})
    write_csv(csv_file, RESULTS)


if __name__ == "__main__":
    main(*sys.argv[1:])
