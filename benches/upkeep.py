"""What an index costs when rows come and go, and when the server has just started: inserts with one writer and with two, their WAL, VACUUM
after a tenth of the rows was deleted, and the first query after a restart. Changes the tables; to be run last."""

import os
import shlex
import statistics
import subprocess

import psycopg

from common import literal, perturbed, timed, wal_position
from search import together


def bench_inserts(connection, vectors, tables, seconds):
    """Each row a transaction of its own. Without an index: into tables that begin empty."""
    messages = [literal(v) for v in perturbed(vectors, min(500, len(vectors)))]
    targets = {}
    for table in tables:
        connection.execute(f"CREATE TABLE {table}_bare (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)")
        targets[f"{table}_bare"] = targets[table] = "veravec" if table == "ours" else "vector"
    results = []
    for table, type_name in targets.items():
        def work(client):
            writer = psycopg.connect("", autocommit=True)
            statement = f"INSERT INTO {table} (id, embedding) VALUES (%s, %s::{type_name})"
            number = len(vectors) + client
            while True:
                yield writer.execute(statement, (number, messages[number % len(messages)]), prepare=True)
                number += 2

        before = wal_position(connection)
        alone, rows = together(1, seconds, work)
        wal = (wal_position(connection) - before) / (rows + 1)
        both, _ = together(2, seconds, work)
        index = "none" if table.endswith("_bare") else "veraflat" if table == "ours" else "HNSW"
        results.append({"type": type_name, "index": index, "rows/s, 1 writer": alone, "rows/s, 2 writers": both, "WAL bytes a row": wal})
    for table in tables:
        connection.execute(f"DROP TABLE {table}_bare")
    return results


def bench_vacuum(connection, tables):
    results = []
    for table in tables:
        connection.execute(f"DELETE FROM {table} WHERE id % 10 = 0")
        connection.execute("CHECKPOINT")
        before = wal_position(connection)
        seconds, _ = timed(lambda: connection.execute(f"VACUUM {table}"))
        results.append({"table": f"{table}, {'veraflat' if table == 'ours' else 'HNSW'}", "VACUUM s": seconds,
                        "WAL MiB": (wal_position(connection) - before) / 2**20})
    return results


def bench_restart(contenders, query):
    """The first and the second query of a new connection to a server that has just started: its own buffers are empty, the
    operating system's cache is not."""
    results = []
    for contender in contenders:
        subprocess.run(shlex.split(os.environ["BENCH_RESTART"]), check=True, cwd="/")
        prepared = contender.prepare(query)
        psycopg.connect("").close()   # the first connection reads catalogues that others share
        connected, connection = timed(lambda: psycopg.connect("", autocommit=True))
        contender.connection = connection
        connection.execute(contender.settings or "SELECT")
        seconds = [timed(lambda: contender.search(prepared, 10))[0] for _ in range(8)]
        contender.close()
        results.append({"contender": contender.name, "connect_ms": connected * 1e3, "first_ms": seconds[0] * 1e3, "second_ms": seconds[1] * 1e3,
                        "then_ms": statistics.median(seconds[2:]) * 1e3})
    return results
