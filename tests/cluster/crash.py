"""Crash safety: kill -9 of a whole server in the middle of work, again and again on the same data directory.

Four sessions change a plain, an unlogged and a partitioned table, each with indexes; another one runs VACUUM,
CHECKPOINT and REINDEX. After each kill and recovery: what was acknowledged as committed is there, and nothing else;
every index is sound; the index gives the sequential scan's answer; the unlogged table is empty and its index usable.

CRASH_SEED repeats the choices (not the moments), CRASH_ROUNDS (20) makes it longer. Needs BIN; ends with a line
`N passed, N failed`. fsync is off: it is the processes that are killed, not the machine.
"""

import random
import threading
import time

import numpy as np
import psycopg

from common import METRICS, Checks, check_index, index_sql, indexes, literal, number_from, same_answers, seed_from
from server import Server

DIMENSIONS = 24
WORKERS = 4
IDS = 1_000_000  # each worker has as many ids of its own
MOST_ROWS = 800  # of a worker in a table; then it deletes
SETTINGS = (
    "shared_buffers = 1MB", "max_wal_size = 32MB", "min_wal_size = 32MB", "checkpoint_timeout = 30s",
    "bgwriter_delay = 10ms", "bgwriter_lru_maxpages = 1000", "autovacuum_naptime = 1s", "lock_timeout = 1s",
    "deadlock_timeout = 100ms",
)
LOGGED = ("plain", "parts")


def vector_of(row, version):
    """The vector that a version of a row has, so that what is found can be checked without remembering it."""
    if version % 11 == 0:
        return None
    if version % 7 == 0:
        return np.zeros(DIMENSIONS, dtype=np.float32)
    return np.random.default_rng([row, version]).integers(-50, 50, DIMENSIONS).astype(np.float32)


def create_tables(connection):
    columns = f"(id bigint, version int, v veravec({DIMENSIONS}))"
    connection.execute(f"CREATE TABLE plain {columns}; CREATE UNLOGGED TABLE forgotten {columns};"
                       f" CREATE TABLE parts {columns} PARTITION BY HASH (id)")
    for i in range(2):
        connection.execute(f"CREATE TABLE parts_{i} PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER {i})")
    for table in ("plain", "forgotten", "parts"):
        connection.execute(f"CREATE INDEX ON {table} (id)")
        connection.execute(index_sql(table, f"{table}_v", keys=("id",)))
    connection.execute(index_sql("plain", "plain_l1", operator_class="veravec_l1_ops"))


class Worker(threading.Thread):
    """A session that changes rows of its own and knows what must be there.

    committed: {table: {id: version}} as of the last acknowledged commit. pending: what the transaction that was
    being committed when the server died would have made of it.
    """

    def __init__(self, server, seed, number, committed):
        super().__init__()
        self.connection = server.connect()
        self.rng = random.Random(f"{seed} {number}")
        self.number, self.committed, self.pending = number, committed, committed
        self.transactions = 0
        self.unexpected = None

    def run(self):
        try:
            while True:
                self.transaction()
                self.transactions += 1
        except psycopg.OperationalError as error:
            if not self.connection.closed:
                self.unexpected = error
        except psycopg.Error as error:
            self.unexpected = error

    def transaction(self):
        """Some changes in all tables, then COMMIT or, at times, ROLLBACK."""
        after = {table: dict(rows) for table, rows in self.committed.items()}
        give_up = self.rng.random() < 0.15
        self.connection.execute("BEGIN")
        for _ in range(self.rng.randint(1, 3)):
            self.change(self.rng.choice(LOGGED), after)
        rows = ", ".join(self.new_row({}) for _ in range(self.rng.randint(1, 10)))
        self.connection.execute(f"INSERT INTO forgotten VALUES {rows}")
        if give_up:
            self.connection.execute("ROLLBACK")
            return
        self.pending = after
        self.connection.execute("COMMIT")
        self.committed = after

    def new_row(self, rows):
        row, version = self.number * IDS + self.rng.randrange(IDS), self.rng.randrange(1000)
        while row in rows:
            row += 1
        rows[row] = version
        return f"({row}, {version}, {literal(vector_of(row, version))})"

    def change(self, table, after):
        rows = after[table]
        full = len(rows) > MOST_ROWS
        some = self.rng.sample(sorted(rows), min(len(rows), MOST_ROWS // 2 if full else self.rng.choice([1, 3, 40])))
        kind = 0.6 if full else self.rng.random()
        if kind < 0.25:
            self.connection.execute(f"INSERT INTO {table} VALUES {self.new_row(rows)}")
        elif kind < 0.5 or not some:
            values = ", ".join(self.new_row(rows) for _ in range(self.rng.choice([2, 10, 100])))
            self.connection.execute(f"INSERT INTO {table} VALUES {values}")
        elif kind < 0.75:
            self.connection.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", (some,))
            for row in some:
                del rows[row]
        else:
            for row in some[:5]:
                rows[row] += 1
                self.connection.execute(f"UPDATE {table} SET version = %s, v = {literal(vector_of(row, rows[row]))}"
                                        " WHERE id = %s", (rows[row], row))


class Maintenance(threading.Thread):
    """A session that runs VACUUM, CHECKPOINT and REINDEX, and forgives that they fail for want of a lock."""

    STATEMENTS = ("VACUUM plain", "VACUUM parts", "VACUUM forgotten", "VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) plain",
                  "CHECKPOINT", "CHECKPOINT", "REINDEX INDEX plain_v", "REINDEX TABLE CONCURRENTLY parts_0",
                  "VACUUM (FREEZE) parts")

    def __init__(self, server, seed):
        super().__init__()
        self.connection = server.connect()
        self.rng = random.Random(f"{seed} maintenance")
        self.unexpected = None

    def run(self):
        while not self.connection.closed:
            try:
                self.connection.execute(self.rng.choice(self.STATEMENTS))
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                continue
            except psycopg.Error as error:
                if not self.connection.closed:
                    self.unexpected = error
                return


def crash(server, seed, rng, committed):
    """Lets all sessions work for a while, then kills the server. Returns the sessions."""
    workers = [Worker(server, seed, number, committed[number]) for number in range(WORKERS)]
    sessions = [*workers, Maintenance(server, seed)]
    for session in sessions:
        session.start()
    time.sleep(rng.uniform(0.1, 1.5))
    server.kill()
    for session in sessions:
        session.join(30)
    return workers, sessions


def contents(connection, table, number):
    """A worker's rows {id: version}, their number, and the ids of those with another vector than they should have."""
    rows = connection.execute(f"SELECT id, version, v::real[] FROM {table} WHERE id / {IDS} = %s", (number,)).fetchall()
    wrong = [row for row, version, v in rows if not np.array_equal(_or_nan(v), _or_nan(vector_of(row, version)), True)]
    return {row: version for row, version, _ in rows}, len(rows), wrong


def _or_nan(vector):
    return np.array([np.nan] if vector is None else vector, dtype=np.float32)


def verify(checks, connection, workers, rng, when):
    """Everything that must hold after recovery. Sets each worker's `committed` to what was found."""
    for worker in workers:
        found = {}
        for table in LOGGED:
            found[table], count, wrong = contents(connection, table, worker.number)
            checks.check(f"{when}: vectors of {table}", wrong and f"rows {wrong[:5]} have another vector than written")
            checks.check(f"{when}: {table} has each row once", count != len(found[table]))
        differing = {table: set(found[table].items()) ^ set(worker.committed[table].items()) for table in LOGGED}
        checks.check(f"{when}: session {worker.number}'s transactions",
                     found not in (worker.committed, worker.pending) and f"differs from the last commit in {differing}")
        worker.committed = found
    for name in indexes(connection):
        checks.check(f"{when}: {name}", check_index(connection, name))
    some = [vector_of(rng.randrange(IDS), rng.randrange(1, 7)) for _ in range(2)]
    queries = [*some, np.zeros(DIMENSIONS, dtype=np.float32), None]
    for table in LOGGED:
        checks.check(f"{when}: answers from {table}", same_answers(connection, table, queries))
    checks.check(f"{when}: L1 answers", same_answers(connection, "plain", queries, METRICS["veravec_l1_ops"]))
    left = connection.execute("SELECT count(*) FROM forgotten").fetchone()[0]
    checks.check(f"{when}: the unlogged table is empty", left and f"{left} rows")
    rows = ", ".join(f"({i}, 1, {literal(vector_of(i, 1))})" for i in range(30))
    connection.execute(f"INSERT INTO forgotten VALUES {rows}")
    checks.check(f"{when}: answers from the unlogged table", same_answers(connection, "forgotten", queries))


def drop_unfinished(connection):
    """REINDEX CONCURRENTLY leaves invalid indexes if it dies; PostgreSQL's users drop them, too."""
    names = connection.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid").fetchall()
    for (name,) in names:
        connection.execute(f"DROP INDEX {name}")


def main():
    seed, rounds = seed_from("CRASH_SEED"), number_from("CRASH_ROUNDS", 20)
    rng, checks = random.Random(seed), Checks()
    committed = [{table: {} for table in LOGGED} for _ in range(WORKERS)]
    transactions = 0
    with Server(*SETTINGS) as server:
        with server.connect() as connection:
            create_tables(connection)
        for number in range(rounds):
            workers, sessions = crash(server, f"{seed} {number}", rng, committed)
            transactions += sum(worker.transactions for worker in workers)
            when = f"CRASH_SEED={seed} round {number}"
            for session in sessions:
                checks.check(f"{when}: {type(session).__name__} met no error", session.unexpected)
            server.start(f"wal_compression={('off', 'pglz')[number % 2]}")
            with server.connect() as connection:
                drop_unfinished(connection)
                verify(checks, connection, workers, rng, when)
            committed = [worker.committed for worker in workers]
        checks.sound(server)
    print(f"{rounds} crashes, {transactions} transactions")
    checks.finish()


if __name__ == "__main__":
    main()
