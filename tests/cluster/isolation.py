"""Chosen interleavings of two or three sessions, and loads of more: each sees what its snapshot says, by index too.

ISOLATION_SEED repeats the data; ISOLATION_ONLY=name runs one test. Needs BIN; ends with a line `N passed, N failed`.
"""

import os
import subprocess
import threading
import time

import numpy as np
import psycopg

from common import (ACCESS_METHOD, FORCED, FREE, Checks, answer, first_difference, index_sql, literal, nearest,
                    same_answers, seed_from)
from isolation_stage import ROWS, Stage, load_from
from server import Server, copy_in

PROMPT = 1.0  # seconds within which a cancel is heeded


def churn(stage, session):
    """Deletes every third row, lets VACUUM free their places, and fills them again."""
    session.execute("DELETE FROM t WHERE id % 3 = 0")
    session.execute("VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t")
    stage.insert(session, 20)
    stage.insert(session, 20, stage.vector())
    session.execute("VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t")


def cursor_while_rows_are_replaced(stage):
    """Rows that were dead before the cursor are vacuumed and their slots reused, at every stage of the cursor."""
    other = stage.session()
    for operator in ("<->", "<#>", "<=>"):
        for position in (0, 1, 2, 10, 100, 250):
            other.execute("DELETE FROM t WHERE id % 5 = 1")  # dead, and not yet vacuumed
            right = stage.cursor(stage.main, operator)
            got = stage.fetch(stage.main, position) if position else []
            churn(stage, other)
            got += stage.fetch(stage.main)
            stage.check(f"{operator} after {position} rows", first_difference(got, right))
            stage.main.execute("COMMIT")
            stage.load(ROWS - len(right) + 40)


def vacuum_between_all_fetches(stage):
    other = stage.session()
    other.execute("DELETE FROM t WHERE id % 5 = 1")
    right = stage.cursor(stage.main)
    got = []
    while rows := stage.fetch(stage.main, 5):
        got += rows
        other.execute(f"DELETE FROM t WHERE id = {rows[0][0]} OR id % 50 = {len(got) % 50}")
        other.execute("VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t")
        stage.insert(other, 2)
    stage.check("whole answer", first_difference(got, right))
    stage.main.execute("COMMIT")


def insert_in_progress(stage):
    """Rows nearer than all others appear when they are committed, not before, and not in an open cursor."""
    other = stage.session()
    before = stage.sequential(stage.main)
    other.execute("BEGIN")
    stage.insert(other, 10)
    stage.check("not seen before COMMIT", stage.nearest_differ(before))
    right = stage.cursor(stage.main)
    got = stage.fetch(stage.main, 1)
    other.execute("COMMIT")
    got += stage.fetch(stage.main)
    stage.check("not seen by an open cursor", first_difference(got, right))
    stage.main.execute("COMMIT")
    after = stage.sequential(stage.main)
    stage.check("seen afterwards", len(after) != len(before) + 10 or stage.nearest_differ(after))


def old_snapshot(stage):
    """A repeatable read transaction sees rows long after others have deleted them, scanned over them and vacuumed."""
    old, other = stage.session(), stage.session()
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    right = stage.sequential(old)
    for _ in range(3):
        churn(stage, other)
        other.execute(FORCED)
        answer(other, nearest("t", "<->", stage.query))
    stage.check("by index", first_difference(answer(old, nearest("t", "<->", stage.query)), right))
    old.execute("COMMIT")
    stage.check("after it ended", same_answers(other, "t", [stage.query]))


def counts_by_bounds(stage):
    """Rows are counted without a look at them where all are visible: never one that this snapshot must not see."""
    writer, vacuumer, reader = (stage.session() for _ in range(3))
    stage.main.execute("VACUUM (FREEZE, ANALYZE, DISABLE_PAGE_SKIPPING) t")
    distance = f"v <-> {literal(stage.query)}"
    radii = [row[0] for row in answer(reader, f"SELECT percentile_disc(s) WITHIN GROUP (ORDER BY {distance}) + 1e-3 "
                                              "FROM t, unnest(ARRAY[0.1, 0.6, 1]) s GROUP BY s ORDER BY s")]
    count = f"SELECT count(*) FROM t WHERE {distance} < %s"
    by_bounds = "SET LOCAL vera_vec.enable_filter_first = on; SET LOCAL enable_seqscan = off"
    by_rows = "SET LOCAL vera_vec.enable_filter_first = off; SET LOCAL enable_seqscan = on"
    end = time.monotonic() + float(os.environ.get("COUNT_SECONDS", 6))
    problems, decided, rounds = [], 0, 0

    def repeat(statements):
        while time.monotonic() < end and not problems:
            try:
                statements()
            except psycopg.Error as error:
                problems.append(repr(error))

    def change():
        writer.execute("DELETE FROM t WHERE id % 17 = (random() * 16)::int")
        stage.insert(writer, 15)

    def vacuum():
        vacuumer.execute("VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t")
        time.sleep(0.02)

    threads = [threading.Thread(target=repeat, args=[action]) for action in (change, vacuum)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end and not problems:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        for radius in radii:
            reader.execute(by_rows)
            right = answer(reader, count % radius)
            reader.execute(by_bounds)
            for _ in range(3):
                got = answer(reader, count % radius)
                if got != right:
                    problems.append(f"{got} rows and not {right} below {radius}")
            rounds += 1
        lines = [row[0] for row in reader.execute("EXPLAIN (ANALYZE, TIMING OFF) " + count % radii[1])]
        decided += sum(int(line.split(":")[1]) for line in lines if "Rows Decided by Bounds" in line)
        reader.execute("COMMIT")
    for thread in threads:
        thread.join()
    stage.check(f"{rounds} times", "; ".join(problems[:3]) or None)
    stage.check("some rows were not looked at", None if decided else "none")


def dead_rows_whose_places_are_reused(stage):
    """Scans that find dead rows may mark them; a row that comes to the same place must be found nevertheless."""
    stage.main.execute(FORCED)
    for _ in range(5):
        stage.main.execute("DELETE FROM t WHERE id % 2 = 0")
        for _ in range(2):
            answer(stage.main, nearest("t", "<->", stage.query))
        stage.main.execute("VACUUM (INDEX_CLEANUP OFF) t")
        answer(stage.main, nearest("t", "<->", stage.query))
        stage.main.execute("VACUUM (INDEX_CLEANUP ON) t")
        stage.load(ROWS // 2)
        stage.check("all are found", same_answers(stage.main, "t", [stage.query]))


def updates_in_one_page(stage):
    """HOT updates and others of the same rows, pruned by scans."""
    stage.main.execute("ALTER TABLE t ADD n int DEFAULT 0; ALTER TABLE t SET (fillfactor = 50)")
    stage.main.execute("VACUUM FULL t")
    for i in range(6):
        stage.main.execute(f"UPDATE t SET n = n + 1 WHERE id % 4 = {i % 4}")
        stage.main.execute(f"UPDATE t SET v = {literal(stage.vector())} WHERE id % 7 = {i}")
        stage.check(f"after update {i}", same_answers(stage.main, "t", [stage.query]))


def create_index_concurrently(stage):
    """While it waits for an old writer and then for an old snapshot, others insert, update and delete."""
    builder, writer, reader, other = (stage.session() for _ in range(4))
    stage.main.execute("DROP INDEX t_v")
    writer.execute("BEGIN")
    stage.insert(writer, 5)
    outcome = []

    def build():
        try:
            builder.execute(index_sql("t", "t_v", how="CONCURRENTLY"))
        except psycopg.Error as error:
            outcome.append(error)

    def changes(residue):
        other.execute(f"DELETE FROM t WHERE id % 10 = {residue}; UPDATE t SET v = {literal(stage.vector())}"
                      f" WHERE id % 10 = {residue + 1}; UPDATE t SET id = id WHERE id % 10 = {residue + 2}")
        stage.insert(other, 10)

    thread = threading.Thread(target=build)
    thread.start()
    stage.wait_until_blocked(builder)
    changes(0)
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t")
    writer.execute("COMMIT")
    stage.wait_until_blocked(builder)
    changes(3)
    right = stage.sequential(reader)
    stage.check("the old snapshot", first_difference(answer(reader, nearest("t", "<->", stage.query)), right))
    reader.execute("COMMIT")
    thread.join()
    stage.check("CREATE INDEX CONCURRENTLY", outcome and outcome[0])
    changes(6)


def reindex_concurrently_under_load(stage):
    load_from(stage, 3, 4, "REINDEX INDEX CONCURRENTLY t_v")


def vacuum_under_load(stage):
    load_from(stage, 4, 5, "VACUUM (INDEX_CLEANUP ON) t")


def reindex_under_load(stage):
    load_from(stage, 2, 3, "REINDEX INDEX t_v", "SELECT pg_sleep(0.1)")


def two_inserters(stage):
    """Neither waits for the other's transaction."""
    other = stage.session()
    for session in (stage.main, other):
        session.execute("SET lock_timeout = '2s'; BEGIN")
    for _ in range(100):
        stage.insert(stage.main)
        stage.insert(other, 1, stage.vector())
    stage.main.execute("ROLLBACK")
    other.execute("COMMIT")
    stage.check("rows", stage.main.execute("SELECT count(*) FROM t").fetchone()[0] != ROWS + 100)


def prepared_transaction(stage):
    stage.main.execute("BEGIN")
    stage.insert(stage.main, 3)
    stage.main.execute("PREPARE TRANSACTION 'p'")
    stage.check("before COMMIT PREPARED", same_answers(stage.main, "t", [stage.query]))
    stage.main.execute("COMMIT PREPARED 'p'")


def write_skew(stage):
    """Two serializable transactions that look for a nearest row, find it, and insert a nearer one: one must fail."""
    other = stage.session()
    for session in (stage.main, other):
        session.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        session.execute(FORCED)
        answer(session, nearest("t", "<->", stage.query, 1))
    stage.insert(stage.main)
    stage.main.execute("COMMIT")

    def second():
        stage.insert(other)
        other.execute("COMMIT")

    try:
        second()
    except psycopg.errors.SerializationFailure:
        other.execute("ROLLBACK")
        stage.check("one fails", None)
    else:
        stage.check("one fails", "both committed")


def write_skew_within_an_insert(stage):
    """A serializable transaction reads while another one's row is in some indexes, and not in others: one must fail."""
    if ACCESS_METHOD != "veraflat":
        return
    # Insertions stop where this is called: in an index of its own, after the heap and a btree, or as they make a key.
    stage.main.execute("CREATE OR REPLACE FUNCTION stop_here(value bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN"
                       " IF current_setting('test.stops', true) = 'on' THEN PERFORM pg_advisory_lock(1), pg_advisory_unlock(1); END IF;"
                       " RETURN value; END $$")
    stage.main.execute("CREATE OPERATOR CLASS stopping_ops FOR TYPE bigint USING veraflat AS OPERATOR 3 =, FUNCTION 1 stop_here(bigint)")
    row = f"INSERT INTO t VALUES (1000000, {literal(stage.query)})"
    cases = {
        "between two indexes": ("CREATE INDEX ON t (id); CREATE INDEX ON t (stop_here(id)); CREATE INDEX t_v ON t USING veraflat (v)",
                                f"SELECT id FROM t WHERE id > 100 ORDER BY v <-> {literal(stage.query)}", "VeraFilterFirst"),
        "as it makes a key": ("CREATE INDEX t_v ON t USING veraflat (v, id stopping_ops)",
                              f"SELECT id FROM t WHERE id = bigint '1000000' ORDER BY v <-> {literal(stage.query)} LIMIT 3", "IndexCond"),
    }
    for name, (indexes, query, plan) in cases.items():
        stage.main.execute(f"DROP INDEX t_v; {indexes}; ANALYZE t")
        first, second = stage.session(), stage.session()
        for session in (first, second):
            session.execute(FORCED + "; SET enable_bitmapscan = on; SET enable_indexscan = " + ("on" if plan == "IndexCond" else "off"))
            session.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        explained = "".join(line for line, in second.execute(f"EXPLAIN (COSTS OFF) {query}")).replace(" ", "")
        stage.check(f"{name}: plan", plan not in explained and explained)
        second.execute(query)
        second.execute("SET test.stops = 'on'")
        stage.main.execute("SELECT pg_advisory_lock(1)")
        failed = []

        def insert():
            try:
                second.execute(row)
                second.execute("COMMIT")
            except psycopg.errors.SerializationFailure:
                failed.append(second)
                second.execute("ROLLBACK")

        thread = threading.Thread(target=insert)
        thread.start()
        stage.wait_until_blocked(second)
        try:
            first.execute(query)
            first.execute(row)
            first.execute("COMMIT")
        except psycopg.errors.SerializationFailure:
            failed.append(first)
            first.execute("ROLLBACK")
        stage.main.execute("SELECT pg_advisory_unlock(1)")
        thread.join()
        stage.check(f"{name}: one fails", not failed and "both committed")
        stage.main.execute("DELETE FROM t WHERE id = 1000000; DROP INDEX IF EXISTS t_id_idx, t_stop_here_idx")
    stage.main.execute("DROP INDEX t_v; DROP OPERATOR FAMILY stopping_ops USING veraflat; DROP FUNCTION stop_here")
    stage.main.execute(index_sql("t", "t_v", keys=("id",)))


def snapshot_too_old(stage):
    """Where VACUUM may remove what old snapshots see, a scan by them is an error (until PostgreSQL 16, which can be told so)."""
    distance = f"v <-> {literal(stage.query)}"
    queries = {
        "ordered": nearest("t", "<->", stage.query),
        "key": f"SELECT id FROM t WHERE id > 0 ORDER BY {distance} LIMIT 10",
        "counted": f"SELECT count(*) FROM t WHERE {distance} < 1000",
    }
    sessions = {name: stage.session() for name in queries}
    for name, old in sessions.items():
        old.execute(FORCED)
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute(queries[name])
    time.sleep(6)  # a threshold of 0 means 5 seconds
    stage.main.execute("DELETE FROM t WHERE id % 2 = 0")
    stage.main.execute("VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) t")
    for name, old in sessions.items():
        stage.expect_error(name, old, queries[name], "72000")
        old.execute("ROLLBACK")
    stage.check("a new snapshot", same_answers(stage.main, "t", [stage.query]))


def rows_that_are_locked(stage):
    """SELECT FOR UPDATE in index order, and rows found again by their ctid."""
    other = stage.session()
    query = nearest("t", "<->", stage.query, 5)
    right = stage.sequential(stage.main)
    stage.check("FOR UPDATE", first_difference(answer(stage.main, query + " FOR UPDATE"), right, limit=5))
    nearest_row = right[0][0]
    other.execute("BEGIN")
    other.execute(f"UPDATE t SET v = v WHERE id = {nearest_row}")
    got = answer(stage.main, query + " FOR UPDATE SKIP LOCKED")
    stage.check("SKIP LOCKED", first_difference(got, [row for row in right if row[0] != nearest_row], limit=5))
    stage.expect_error("NOWAIT", stage.main, query + " FOR UPDATE NOWAIT", "55P03")
    waiting, got = stage.session(), []
    waiting.execute(FORCED)
    thread = threading.Thread(target=lambda: got.extend(answer(waiting, query + " FOR UPDATE")))
    thread.start()
    stage.wait_until_blocked(waiting)
    other.execute("COMMIT")
    thread.join()
    stage.check("after waiting for an update", first_difference(got, right, limit=5))
    where = f"ctid IN (SELECT ctid FROM t ORDER BY v <-> {literal(stage.query)} LIMIT 5)"
    changed = stage.main.execute(f"UPDATE t SET v = v WHERE {where}").rowcount
    stage.check("UPDATE by ctid", changed != 5 and f"{changed} rows")
    distance = f"v <-> {literal(stage.query)}"
    deleted = answer(stage.main, f"DELETE FROM t WHERE {where} RETURNING id, {distance}")
    stage.check("DELETE by ctid", first_difference(sorted(deleted, key=lambda row: row[1]), right, limit=5))


def statements_that_need_the_index_alone(stage):
    """REINDEX, TRUNCATE and VACUUM FULL with an open cursor are refused in its session and wait in others."""
    of_indexes = ("REINDEX INDEX t_v", "DROP INDEX t_v") if ACCESS_METHOD == "veraflat" else ()
    for statement in (*of_indexes, "TRUNCATE t", "ALTER TABLE t ALTER v TYPE veravec"):
        stage.cursor(stage.main)
        stage.fetch(stage.main, 3)
        stage.expect_error(statement, stage.main, statement, "55006")
        stage.main.execute("ROLLBACK")
    other = stage.session()
    other.execute("SET lock_timeout = '100ms'")
    right = stage.cursor(stage.main)
    got = stage.fetch(stage.main, 3)
    for statement in ("REINDEX INDEX t_v", "TRUNCATE t", "VACUUM FULL t"):
        stage.expect_error(f"{statement} elsewhere", other, statement, "55P03")
    stage.check("the cursor goes on", first_difference(got + stage.fetch(stage.main), right))
    stage.main.execute("COMMIT")


def errors_in_the_middle_of_a_scan(stage):
    """A scan that an error ends, inside a subtransaction, leaves nothing behind that hurts the next."""
    stage.main.execute(FORCED)
    for limit in (1, 50, 350):
        stage.main.execute("BEGIN")
        stage.main.execute("SAVEPOINT s")
        query = nearest("t", "<->", stage.query)
        stage.expect_error(f"division by zero at row {limit}", stage.main,
                           f"SELECT 1 / (row_number() OVER () - {limit}) FROM ({query}) s", "22012")
        stage.main.execute("ROLLBACK TO s")
        stage.check("the next scan", same_answers(stage.main, "t", [stage.query]))
        stage.main.execute("COMMIT")


def cancel(stage):
    """statement_timeout ends a long scan, build, VACUUM and check promptly, and the index is sound afterwards."""
    stage.main.execute("SET maintenance_work_mem = '4MB'; DROP TABLE t; CREATE TABLE t (id bigint, v veravec(128))")
    stage.dimensions = 128
    vectors = stage.rng.standard_normal((60_000, stage.dimensions)).astype(np.float32)
    stage.query = stage.vector()
    copy_in(stage.main, "t", {"id": "int8", "v": "veravec"}, enumerate(vectors))
    build = index_sql("t", "t_v")
    cancelled = timed(stage, build, "DROP INDEX IF EXISTS t_v")
    stage.main.execute("DROP INDEX IF EXISTS t_v; " + build)
    stage.main.execute(FORCED)
    cancelled += timed(stage, f"SELECT count(*) FROM ({nearest('t', '<->', stage.query)} OFFSET 0) s")
    cancelled += timed(stage, nearest("t", "<=>", stage.query, 10))
    if ACCESS_METHOD == "veraflat":
        cancelled += timed(stage, "SELECT veraflat_check('t_v')")
    stage.main.execute("DELETE FROM t WHERE id % 2 = 0")
    cancelled += timed(stage, "VACUUM (INDEX_CLEANUP ON, PARALLEL 0) t")
    cancelled += timed(stage, "REINDEX INDEX t_v")
    stage.check("some statements were cancelled", cancelled < 5 and f"only {cancelled}")
    stage.main.execute(FREE)


def timed(stage, statement, before="SELECT 1"):
    """Runs a statement with several timeouts; returns how often one was reached."""
    cancelled = 0
    for timeout in (1, 10, 50, 150):
        stage.main.execute(before)
        stage.main.execute(f"SET statement_timeout = {timeout}")
        started = time.monotonic()
        try:
            stage.main.execute(statement)
        except psycopg.errors.QueryCanceled:
            cancelled += 1
            late = time.monotonic() - started - timeout / 1000
            stage.check(f"{statement[:60]} cancelled after {timeout} ms", late > PROMPT and f"{late:.2f} s late")
        stage.main.execute("SET statement_timeout = 0")
    return cancelled


def size_stays(stage):
    """Cycles of delete, VACUUM and insert do not make the index grow."""
    sizes = []
    for _ in range(12):
        stage.main.execute("DELETE FROM t WHERE id % 2 = 0")
        stage.main.execute("VACUUM (INDEX_CLEANUP ON) t")
        count = stage.main.execute("SELECT count(*) FROM t").fetchone()[0]
        stage.load(ROWS - count)
        sizes.append(stage.main.execute("SELECT pg_relation_size('t_v')").fetchone()[0])
    stage.check("sizes", sizes[-1] > sizes[1] and f"the index grows: {sizes}")


TESTS = (cursor_while_rows_are_replaced, vacuum_between_all_fetches, insert_in_progress, old_snapshot,
         counts_by_bounds, dead_rows_whose_places_are_reused, updates_in_one_page, create_index_concurrently,
         reindex_concurrently_under_load, vacuum_under_load, reindex_under_load, two_inserters, prepared_transaction,
         write_skew, write_skew_within_an_insert, rows_that_are_locked, statements_that_need_the_index_alone, errors_in_the_middle_of_a_scan, cancel,
         size_stays)


def main():
    seed, only = seed_from("ISOLATION_SEED"), os.environ.get("ISOLATION_ONLY")
    checks = Checks()
    run(TESTS, checks, seed, only, "max_prepared_transactions = 2")
    if ACCESS_METHOD == "veraflat" and postgres_version() < 17:
        run((snapshot_too_old,), checks, seed, only, "old_snapshot_threshold = 0")
    checks.finish()


def postgres_version():
    output = subprocess.run([os.path.join(os.environ["BIN"], "postgres"), "--version"], capture_output=True, text=True, check=True).stdout
    return int(output.split()[2].split(".")[0])


def run(tests, checks, seed, only, setting):
    with Server("autovacuum = off", setting) as server:
        stage = Stage(server, checks, seed)
        for test in tests:
            if only in (None, test.__name__):
                started = time.monotonic()
                stage.begin(test.__name__)
                try:
                    test(stage)
                    stage.final()
                except (psycopg.Error, TimeoutError) as error:
                    stage.check("no unexpected error", f"{getattr(error, 'sqlstate', '')} {error}")
                stage.end()
                print(f"{test.__name__}: {time.monotonic() - started:.1f} s", flush=True)
        checks.sound(server)


if __name__ == "__main__":
    main()
