"""The index veraflat: build, size, search, inserts; beside the sequential scan and, if it is installed, faiss's flat index.

Contenders take turns, so that a machine that slows down slows all of them; every answer of the index is compared with
the sequential scan's. Data: common.py's.
Usage: index.py CSV_FILE, with the environment of a server whose database is empty.
"""

import os
import platform
import statistics
import sys

import numpy as np
import psycopg

from common import ROWS, binary, copy, data_sets, literal, timed, wal_position, write_csv

try:
    import faiss
except ImportError:
    faiss = None

QUERIES = int(os.environ.get("BENCH_QUERY_COUNT", 25))
TURNS = int(os.environ.get("BENCH_REPEATS", 5))
INSERTS = 500
RESULTS = []


def note(what, value, unit, compared=""):
    RESULTS.append({"what": what, "value": round(value, 4), "unit": unit, "compared": compared})
    print(f"{what:70} {value:12.4g} {unit:8} {compared}", flush=True)


def bench_build(connection, label, vectors):
    rows, dim = vectors.shape
    copied = copy(connection, "items", f"id int, embedding veravec({dim})", binary(vectors), "(FORMAT binary)")
    connection.execute("VACUUM ANALYZE items")
    connection.execute("CHECKPOINT")
    built, _ = timed(lambda: connection.execute("CREATE INDEX items_index ON items USING veraflat (embedding)"))
    size = connection.execute("SELECT pg_relation_size('items_index')").fetchone()[0]
    note(f"{label}: COPY", copied, "s", "binary")
    note(f"{label}: CREATE INDEX", built, "s", f"{built / copied:.2f} of COPY")
    note(f"{label}: index size", size / 2**20, "MiB", f"{size / vectors.nbytes:.4f} of the float32 vectors")


def searcher(connection, setting, k, operator="<=>"):
    statement = f"SELECT id, embedding {operator} %s::veravec FROM items ORDER BY embedding {operator} %s::veravec LIMIT {k}"
    settings = {"index": "SET enable_seqscan = off; SET enable_indexscan = on",
                "serial": "SET enable_seqscan = on; SET enable_indexscan = off; SET max_parallel_workers_per_gather = 0",
                "parallel": "SET enable_seqscan = on; SET enable_indexscan = off; SET max_parallel_workers_per_gather = 2"}
    # A connection of its own, so that each keeps a prepared statement with a plan of its own.
    connection = psycopg.connect("", autocommit=True)
    connection.execute("SET min_parallel_table_scan_size = 0; SET plan_cache_mode = force_generic_plan; " + settings[setting])

    def run(query):
        parameter = literal(query)
        return timed(lambda: connection.execute(statement, (parameter, parameter), prepare=True).fetchall())

    run.connection = connection
    return run


def bench_search(connection, label, vectors, queries):
    normalised = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    flat = None
    if faiss:
        faiss.omp_set_num_threads(1)
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(normalised)
    runs = {f"index, k={k}": searcher(connection, "index", k) for k in (10, 100)}
    runs |= {"serial scan, k=10": searcher(connection, "serial", 10), "2 workers, k=10": searcher(connection, "parallel", 10)}
    if flat:
        runs["faiss flat, 1 thread, k=10"] = lambda q: timed(lambda: flat.search(q[None] / np.linalg.norm(q), 10))
    seconds = {name: [] for name in runs}
    expected = {}
    refined, fetched = [], []
    # Contenders take turns in blocks: each asks all queries, so that each is as warm as its own data let it be.
    for turn in range(TURNS + 1):
        for name, run in runs.items():
            if turn > 1 and not name.startswith(("index", "faiss")):
                continue
            for number, query in enumerate(queries):
                taken, answer = run(query)
                if turn > 0:
                    seconds[name].append(taken)
                if turn == 0 and name != "index, k=100" and not name.startswith("faiss"):
                    distances = [d for _, d in answer]
                    assert distances == expected.setdefault(number, distances), "an answer differs"
                if name == "index, k=10":
                    stats = run.connection.execute("SELECT rows_refined, rows_returned FROM veraflat_scan_stats()").fetchone()
                    refined.append(stats[0])
                    fetched.append(stats[1])
    for run in runs.values():
        if hasattr(run, "connection"):
            run.connection.close()
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        p95 = sorted(seconds[name])[int(len(seconds[name]) * 0.95)]
        note(f"{label}: cosine, {name}", median * 1e3, "ms", f"p95 {p95 * 1e3:.2f}; {median / medians['index, k=10']:.2f} times the index's")
    note(f"{label}: rows refined, k=10", statistics.median(refined), "rows", f"most {max(refined)}")
    note(f"{label}: rows fetched, k=10", statistics.median(fetched), "rows", f"most {max(fetched)}")


def bench_insert(connection, label, vectors):
    dim = vectors.shape[1]
    messages = [literal(v) for v in vectors[:INSERTS]]
    connection.execute(f"CREATE TABLE bare (id int, embedding veravec({dim}))")
    connection.execute(f"CREATE TABLE indexed (id int, embedding veravec({dim}))")
    connection.execute("CREATE INDEX ON indexed USING veraflat (embedding)")
    seconds, wal = {"bare": 0.0, "indexed": 0.0}, {"bare": 0, "indexed": 0}
    for number, message in enumerate(messages):
        for table in seconds:
            before = wal_position(connection)
            taken, _ = timed(lambda: connection.execute(f"INSERT INTO {table} VALUES (%s, %s::veravec)", (number, message), prepare=True))
            seconds[table] += taken
            wal[table] += wal_position(connection) - before
    note(f"{label}: INSERT of a row, without index", seconds["bare"] / INSERTS * 1e6, "us")
    note(f"{label}: INSERT of a row, with index", seconds["indexed"] / INSERTS * 1e6, "us", f"{seconds['indexed'] / seconds['bare']:.2f} times")
    own = wal["bare"] / INSERTS
    note(f"{label}: WAL of a row", float(own), "bytes")
    note(f"{label}: WAL of its index entry", float(wal["indexed"] / INSERTS - own), "bytes", f"{(wal['indexed'] - wal['bare']) / wal['bare']:.2f} of the row's")
    connection.execute("DROP TABLE bare, indexed")


def main(csv_file):
    connection = psycopg.connect("", autocommit=True)
    connection.execute("CREATE EXTENSION vera_vec")
    server, level = connection.execute("SELECT split_part(version(), ' on ', 1), vera_vec_simd_level()").fetchone()
    print(f"Conditions: {server}, vera_vec at {level}, faiss {faiss and faiss.__version__}; {os.cpu_count()} cores, {platform.machine()};"
          " warm; one client; prepared statements; medians; hard queries: sentences, not rows of the table.\n")
    for name, vectors, queries in data_sets(ROWS, QUERIES):
        label = "{} x {}".format(*vectors.shape)
        print(f"{label}: {name}, {len(queries)} queries")
        bench_build(connection, label, vectors)
        bench_search(connection, label, vectors, queries)
        bench_insert(connection, label, vectors)
        connection.execute("DROP TABLE items")
    write_csv(csv_file, RESULTS)


if __name__ == "__main__":
    main(*sys.argv[1:])
