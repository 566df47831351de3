"""A streaming standby answers by index as by sequential scan, while it replays what the primary does to the index.

Both servers check with wal_consistency_checking that replay makes the pages that the primary has. Then the standby has
to catch up and agree with the primary, and is promoted, written to, and asked again.

REPLICA_SEED repeats the choices, REPLICA_SECONDS (25) makes it longer. Needs BIN; ends with a line
`N passed, N failed`.
"""

import random
import threading
import time

import numpy as np
import psycopg

from common import (FORCED, METRICS, SEQUENTIAL, Checks, answer, check_index, first_difference, index_sql, indexes,
                    literal, nearest, number_from, same_answers, seed_from)
from server import Server

DIMENSIONS = 40
WRITERS = 2
SETTINGS = (
    "wal_consistency_checking = 'all'", "max_wal_senders = 4", "wal_keep_size = 2GB", "max_wal_size = 64MB",
    "checkpoint_timeout = 30s", "shared_buffers = 4MB", "autovacuum_naptime = 1s", "lock_timeout = 2s",
    # A query on the standby holds up the replay of what would take away rows that it can see.
    "hot_standby = on", "max_standby_streaming_delay = -1",
)
# What a standby says when its primary goes away, or when it is not yet ready.
EXPECTED_FATAL = ("could not connect to the primary server", "could not receive data from WAL stream",
                  "could not send data to WAL stream", "could not send end-of-streaming message", "terminating walreceiver process",
                  "the database system is")
OPERATORS = {"plain": METRICS["veravec_ops"], "parts": METRICS["veravec_ops"], "by_l1": METRICS["veravec_l1_ops"]}


def random_vector(rng):
    if rng.random() < 0.05:
        return np.zeros(DIMENSIONS, dtype=np.float32)
    return np.random.default_rng(rng.getrandbits(32)).integers(-4, 5, DIMENSIONS).astype(np.float32)


def create_tables(connection, rng):
    vector = f"v veravec({DIMENSIONS})"
    for table in ("TABLE plain", "TABLE by_l1", "UNLOGGED TABLE forgotten"):
        connection.execute(f"CREATE {table} (id bigint GENERATED ALWAYS AS IDENTITY, {vector})")
    connection.execute(f"CREATE TABLE parts (id bigint, {vector}) PARTITION BY HASH (id);"
                       " CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
                       " CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1)")
    for table in ("plain", "parts", "forgotten"):
        connection.execute(index_sql(table, f"{table}_v", keys=("id",)))
    connection.execute(index_sql("by_l1", "by_l1_v", operator_class="veravec_l1_ops"))
    insert(connection, "plain", rng, 500)
    insert(connection, "forgotten", rng, 50)


def insert(connection, table, rng, count):
    vectors = ", ".join(f"({literal(None if rng.random() < 0.03 else random_vector(rng))})" for _ in range(count))
    if table == "parts":
        first = rng.getrandbits(40)
        connection.execute(f"INSERT INTO parts SELECT {first} + row_number() OVER (), v FROM (VALUES {vectors}) v(v)")
    else:
        connection.execute(f"INSERT INTO {table} (v) VALUES {vectors}")


class Writer(threading.Thread):
    """A session on the primary that changes tables at random until it is stopped.

    alone: this one, and no other, makes and remakes indexes; PostgreSQL has them fail when two do.
    """

    def __init__(self, server, rng, alone):
        super().__init__()
        self.connection, self.rng, self.alone = server.connect(), rng, alone
        self.stopped, self.error, self.statements = threading.Event(), None, 0

    def run(self):
        while not self.stopped.is_set():
            try:
                self.step()
                self.statements += 1
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                self.connection.execute("ROLLBACK")
            except psycopg.Error as error:
                self.error = error
                return

    def step(self):
        table = self.rng.choice(sorted(OPERATORS))
        residue = self.rng.randrange(12)
        match self.rng.choice(["insert"] * 4 + ["delete", "update", "vacuum", "rollback", "checkpoint", "rare"]):
            case "insert":
                insert(self.connection, table, self.rng, self.rng.choice([1, 5, 100]))
            case "delete":
                self.connection.execute(f"DELETE FROM {table} WHERE id % 12 = {residue}")
            case "update":
                vector = literal(random_vector(self.rng))
                self.connection.execute(f"UPDATE {table} SET v = {vector} WHERE id % 60 = {residue}")
            case "vacuum":
                self.connection.execute(f"VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) {table}")
            case "rollback":
                self.connection.execute("BEGIN")
                insert(self.connection, table, self.rng, 20)
                self.connection.execute("ROLLBACK")
            case "checkpoint":
                self.connection.execute("CHECKPOINT")
            case "rare" if self.alone:
                self.connection.execute(self.rng.choice([
                    "REINDEX TABLE by_l1", "REINDEX INDEX plain_v", "REINDEX INDEX CONCURRENTLY plain_v",
                    "TRUNCATE by_l1", index_sql("plain", "IF NOT EXISTS extra", how="CONCURRENTLY"),
                    "DROP INDEX IF EXISTS extra", "VACUUM (FREEZE) parts", "VACUUM plain"]))


def read_while_replaying(checks, standby, rng, seconds):
    """Asks the standby by both plans, each time in one snapshot. Returns how often."""
    deadline = time.monotonic() + seconds
    asked = 0
    with standby.connect() as reader, standby.connect() as watcher:
        while time.monotonic() < deadline and not reader.closed:
            for table, operators in OPERATORS.items():
                vectors = [random_vector(rng), None]
                before = valid_indexes(watcher)
                difference = same_answers(reader, table, vectors, operators, must_use=False)
                if difference and " 55P03 " in difference:
                    continue  # waited too long for the replay of a REINDEX or TRUNCATE, which asks later find done
                checks.check(f"{table} on the standby", unless_new_index(watcher, before, difference))
                asked += 1
            before = valid_indexes(watcher)
            difference = aged_snapshot(reader, rng)
            checks.check("a snapshot of some age on the standby", unless_new_index(watcher, before, difference))
    return asked


def valid_indexes(watcher):
    return watcher.execute("SELECT indexrelid, pg_relation_filenode(indexrelid) FROM pg_index"
                           " WHERE indisvalid ORDER BY 1").fetchall()


def unless_new_index(watcher, before, difference):
    """The difference, but None if an index became valid since `before`.

    PostgreSQL has a new index wait for the snapshots on its own server that are older than the index, not for those on
    a standby: one that still sees rows deleted before the index was made misses them there, a btree's as well.
    """
    if difference and valid_indexes(watcher) != before:
        print(f"passed over, for an index was made meanwhile: {difference}")
        return None
    return difference


def aged_snapshot(reader, rng):
    """A cursor in index order that is read slowly, while replay waits for it or passes it by."""
    vector = random_vector(rng)
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    reader.execute(SEQUENTIAL)
    right = answer(reader, nearest("plain", "<->", vector))
    reader.execute(FORCED)
    reader.execute(f"DECLARE c NO SCROLL CURSOR FOR {nearest('plain', '<->', vector)}")
    got = []
    for count in ("5", "50", "ALL"):
        got += answer(reader, f"FETCH {count} FROM c")
        time.sleep(0.1)
    reader.execute("COMMIT")
    return first_difference(got, right)


def catch_up(primary, standby):
    """Waits until the standby has replayed all that the primary has written."""
    with primary.connect() as one, standby.connect() as other:
        (target,) = one.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
        for _ in range(1200):
            if other.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (target,)).fetchone()[0]:
                return
            time.sleep(0.1)
    raise TimeoutError(f"the standby does not catch up:\n{standby.log_tail()}")


def agree(checks, primary, standby, rng):
    """The standby gives by index what the primary gives by sequential scan, and its indexes are sound."""
    with primary.connect() as one, standby.connect() as other:
        one.execute(SEQUENTIAL)
        other.execute(FORCED)
        for table, operators in OPERATORS.items():
            for operator in operators:
                for vector in (random_vector(rng), np.zeros(DIMENSIONS, dtype=np.float32), None):
                    query = nearest(table, operator, vector)
                    difference = first_difference(answer(other, query), answer(one, query))
                    checks.check(f"{table} {operator} on both", difference)
        sound(checks, other, "standby")
        sound(checks, one, "primary")


def sound(checks, connection, where):
    for name in indexes(connection):
        if "forgotten" not in name or where != "standby":  # nothing unlogged is on a standby
            checks.check(f"{name} on the {where}", check_index(connection, name))


def promoted(checks, standby, rng):
    """The new primary's indexes take rows, and its unlogged table is empty and usable."""
    with standby.connect() as connection:
        for table, operators in {**OPERATORS, "forgotten": METRICS["veravec_ops"]}.items():
            for _ in range(3):
                insert(connection, table, rng, 60)
                connection.execute(f"DELETE FROM {table} WHERE id % 3 = 0")
                connection.execute(f"VACUUM {table}")
            vectors = [random_vector(rng), None]
            checks.check(f"{table} after promotion", same_answers(connection, table, vectors, operators))
        sound(checks, connection, "promoted standby")


def no_surprises(checks, server):
    """Nothing in the log above what is expected of a standby."""
    checks.sound(server)
    fatal = [line for line in server.log_lines() if "FATAL:" in line]
    strange = [line for line in fatal if not any(text in line for text in EXPECTED_FATAL)]
    checks.check(f"no FATAL in the log of the {server.name}", "\n".join(strange[:5]))


def main():
    seed, seconds = seed_from("REPLICA_SEED"), number_from("REPLICA_SECONDS", 25)
    rng, checks = random.Random(seed), Checks()
    with Server(*SETTINGS, name="primary") as primary:
        with primary.connect() as connection:
            create_tables(connection, rng)
        with Server(name="standby", standby_of=primary) as standby:
            writers = [Writer(primary, random.Random(f"{seed} {number}"), number == 0) for number in range(WRITERS)]
            for writer in writers:
                writer.start()
            asked = read_while_replaying(checks, standby, rng, seconds)
            for writer in writers:
                writer.stopped.set()
                writer.join()
                checks.check("the writers met no error", writer.error and f"{writer.error.sqlstate} {writer.error}")
            catch_up(primary, standby)
            agree(checks, primary, standby, rng)
            primary.stop()
            standby.promote()
            promoted(checks, standby, rng)
            no_surprises(checks, standby)
        checks.sound(primary)
    statements = sum(writer.statements for writer in writers)
    print(f"{statements} statements on the primary, {asked} comparisons on the standby")
    checks.finish()


if __name__ == "__main__":
    main()
