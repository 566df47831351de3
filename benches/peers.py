"""vera_vec beside its peers: pgvector (exact, and HNSW) on the same server; faiss, numpy and usearch in this process, one thread each.

Quick: 384 and 1,536 dimensions, BENCH_ROWS rows; filters with HNSW and smaller tables only of the first set, VACUUM of HNSW (minutes) only of those,
sequential scans and other libraries only for hard queries and k = 10. BENCH_GROW=1, two minutes more: ten times the rows of the first set,
without pgvector. BENCH_FULL=1, two hours: that, 128 and 768 dimensions too, more queries, everything for every set. Dimensions that no
data set has are generated, and called so; BENCH_DIMENSIONS="128 768" for those alone. Every exact contender's answers are compared with the index's: a mismatch
is an error, and the exit status; times never are. Usage: peers.py DIRECTORY, with the environment of a server whose database
is empty, OPENBLAS_NUM_THREADS=1 for a fair numpy, and BENCH_RESTART, the command that restarts the server.
"""

import json
import os
import platform
import sys
import time

import numpy as np
import psycopg

import filters
import plots
import search
import tables
import upkeep
import within
from common import ROWS, data_sets, perturbed, print_table, sets_of, write_csv
from contenders import PGVECTOR_DIMENSIONS, in_process, missing, ours, pgvector, versions

FULL = os.environ.get("BENCH_FULL") == "1"
# Whether the first set is also searched with MOST times the rows.
GROW = FULL or os.environ.get("BENCH_GROW") == "1"
DIMENSIONS = tuple(map(int, os.environ.get("BENCH_DIMENSIONS", "128 384 768 1536" if FULL else "384 1536").split()))
QUERIES = int(os.environ.get("BENCH_QUERY_COUNT", 100 if FULL else 25))
# Seconds that each number of clients, or of writers, works.
SECONDS = 5 if FULL else 1
# How tables grow: to these shares of BENCH_ROWS, and in a full run to so many times as many rows.
SHARES = (100, 10)
MOST = 10
STARTED = time.perf_counter()
RESULTS = {}


def keep(part, label, results):
    """Prints them as a table and keeps them for the files."""
    print_table(f"{part}: {' | '.join(map(str, label.values()))}   [{time.perf_counter() - STARTED:.0f} s]", results)
    RESULTS.setdefault(part, []).extend({**label, **{k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in r.items()}} for r in results)


def compact(results):
    """For JSON: names of the fields once, not in every result."""
    fields = list(dict.fromkeys(field for result in results for field in result))
    return {"fields": fields, "results": [[result.get(field) for field in fields] for result in results]}


def connect():
    return psycopg.connect("", autocommit=True)


def conditions(connection, have_pgvector):
    def show(setting):
        return connection.execute("SELECT current_setting(%s)", (setting,)).fetchone()[0]

    server, level, version = connection.execute(
        "SELECT split_part(version(), ' on ', 1), vera_vec_simd_level(), extversion FROM pg_extension WHERE extname = 'vera_vec'").fetchone()
    vector = have_pgvector and connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()[0]
    with open("/proc/cpuinfo") as file:
        cpu = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    settings = ("shared_buffers", "work_mem", "maintenance_work_mem", "max_parallel_maintenance_workers", "fsync", "jit", "autovacuum")
    return {"CPU": f"{cpu}, {os.cpu_count()} cores", "server": server, "vera_vec": f"{version}, {level}", "pgvector": vector or None,
            **versions(), "python": platform.python_version(), "settings": ", ".join(f"{s} = {show(s)}" for s in settings),
            "mode": "full" if FULL else "quick", "queries": f"{QUERIES} of each kind; cosine distance; hard: texts of other kinds, kept back, or drawn like the rows;"
            " easy: rows, moved by a tenth of their length",
            "threads": "in-process contenders 1, serial scans 1, parallel scans at most 3", "caches": "warm, contenders taking turns query by"
            " query (so each finds the others' memory in the CPU's caches), throughput alone; prepared statements; the client on the same machine"}


def bench_search(label, vectors, queries, have_pgvector, mismatches, kinds):
    """Latency of each kind of queries, then throughput; the tables are there."""
    contenders = ours() + (pgvector(vectors.shape[1]) if have_pgvector else []) + in_process(vectors)
    easy = perturbed(vectors, len(queries))
    for kind, k in kinds:
        racers = contenders
        if not FULL and (kind, k) != ("hard", 10):
            racers = [c for c in contenders if not c.scans]   # to them it is all the same
        results = search.race(racers, vectors, queries if kind == "hard" else easy, k, mismatches)
        if (kind, k) == ("hard", 10) and (FULL or len(vectors) == ROWS):
            rates = search.throughput(contenders, queries, k, SECONDS)
            for result in results:
                result["q/s, 1 client"], result["q/s, 2 clients"] = rates[result["contender"]]
        keep("search", {**label, "queries": kind, "k": k}, results)


def bench_set(name, vectors, queries, first, have_pgvector, mismatches):
    dim = vectors.shape[1]
    hnsw = have_pgvector and dim <= PGVECTOR_DIMENSIONS
    if have_pgvector and not hnsw:
        print(f"\n{dim} dimensions: without HNSW and PLAIN, which pgvector has up to {PGVECTOR_DIMENSIONS}")
    both = ["ours", "theirs"] if hnsw else ["ours"]
    kinds = [("hard", 10), ("hard", 100), ("easy", 10)] + ([("easy", 100)] if FULL else [])
    small = [ROWS // share for share in SHARES] if first or FULL and len(vectors) == ROWS else []
    for rows in [*small, len(vectors)]:
        label = {"data": name, "rows": rows, "dimensions": dim}
        some = vectors[:rows]
        with connect() as connection:
            connection.execute("DROP TABLE IF EXISTS ours, theirs, plain")
            keep("build", label, tables.build(connection, some, have_pgvector))
        bench_search(label, some, queries, have_pgvector, mismatches, kinds if rows == len(vectors) else kinds[:1])
        if rows < len(vectors):
            with connect() as connection:
                keep("vacuum", label, upkeep.bench_vacuum(connection, both))
    if len(vectors) > ROWS:
        return
    # All rows are there: what else there is to do with them.
    restarted = [c for c in ours() + (pgvector(dim) if have_pgvector else [])
                 if c.name in ("vera_vec index", "vera_vec scan", "pgvector scan", "pgvector HNSW ef=100")]
    with connect() as connection:
        keep("within", label, within.bench(connection, queries, mismatches))
        # HNSW's iterative scan takes its time.
        keep("filters", label, filters.bench(connection, vectors, queries, hnsw and (first or FULL), mismatches))
    keep("restart", label, upkeep.bench_restart(restarted, queries[0]))
    with connect() as connection:
        keep("inserts", label, upkeep.bench_inserts(connection, vectors, both, SECONDS))
        keep("vacuum", label, upkeep.bench_vacuum(connection, both if FULL else both[:1]))


def main(directory):
    with connect() as connection:
        connection.execute("CREATE EXTENSION vera_vec")
        have_pgvector = bool(connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone())
        if have_pgvector:
            connection.execute("CREATE EXTENSION vector")
        told = conditions(connection, have_pgvector)
    print("Conditions")
    for what, value in told.items():
        print(f"  {what:12} {value}")
    for name in missing(have_pgvector):
        print(f"  without {name}, which is not installed")
    mismatches = search.Mismatches()
    for number, (name, vectors, queries) in enumerate(sets_of(DIMENSIONS, ROWS, QUERIES)):
        bench_set(name, np.ascontiguousarray(vectors), np.ascontiguousarray(queries), number == 0, have_pgvector, mismatches)
    if GROW:
        name, vectors, queries = next(data_sets(MOST * ROWS, QUERIES))
        if vectors.shape[1] in DIMENSIONS:
            # Without pgvector, whose index would take most of the time to build.
            bench_set(name, vectors, queries, False, False, mismatches)
    for part, results in RESULTS.items():
        write_csv(f"{directory}/peers-{part}.csv", results)
    with open(f"{directory}/peers.json", "w") as file:
        json.dump({"conditions": told, "wrong answers": mismatches.count, **{part: compact(results) for part, results in RESULTS.items()}}, file)
    plots.draw(RESULTS["search"], RESULTS["build"], directory)
    if mismatches.count:
        raise SystemExit(f"ERROR: {mismatches.count} answers of exact contenders are not the index's")
    print(f"\nAll answers of exact contenders agree.   [{time.perf_counter() - STARTED:.0f} s]")


if __name__ == "__main__":
    main(*sys.argv[1:])
