"""What SQL can do to a table or an index, each followed by veraflat_check and a comparison with the sequential scan.

DDL_SEED repeats the data; DDL_ONLY=name runs one test. Needs BIN; ends with a line `N passed, N failed`.
"""

import os
import subprocess

import numpy as np
import psycopg

from common import (ACCESS_METHOD, FORCED, FREE, METRICS, Checks, check_index, index_sql, indexes, nearest,
                    same_answers, seed_from)
from ddl_subject import INDEX, Subject
from server import BIN, Server


def create(s):
    s.right("CREATE INDEX")
    s.sql("DROP INDEX t_v")
    s.sql(index_sql("t", "t_v", how="CONCURRENTLY"))
    s.right("CREATE INDEX CONCURRENTLY")
    s.sql("REINDEX INDEX t_v")
    s.right("REINDEX")
    s.sql("REINDEX INDEX CONCURRENTLY t_v")
    s.right("REINDEX CONCURRENTLY")
    s.sql("REINDEX TABLE t")
    s.right("REINDEX TABLE")
    s.sql("BEGIN; REINDEX INDEX t_v; ROLLBACK")
    s.right("REINDEX that is rolled back")
    s.sql("ALTER INDEX t_v RENAME TO renamed; ALTER TABLE t RENAME v TO w; ALTER TABLE t RENAME w TO v")
    s.right("ALTER INDEX RENAME")


def empty(s):
    s.sql("DROP TABLE t; CREATE TABLE t (id bigint, tenant int, v veravec(6)); " + INDEX)
    s.right("an empty table")
    s.sql("TRUNCATE t; INSERT INTO t SELECT i, 1, NULL FROM generate_series(1, 50) i")
    s.right("only NULLs")
    s.sql("DELETE FROM t")
    s.sql("VACUUM t")
    s.right("a table that was emptied")


def truncate(s):
    s.sql("BEGIN; TRUNCATE t; ROLLBACK")
    s.right("TRUNCATE that is rolled back")
    s.sql("TRUNCATE t")
    s.right("TRUNCATE")
    s.sql("BEGIN; TRUNCATE t")
    s.load("t")
    s.right("TRUNCATE and more, in a transaction")
    s.sql("ROLLBACK")
    s.right("that, rolled back")
    s.sql("BEGIN; TRUNCATE t")
    s.load("t")
    s.sql("COMMIT")
    s.right("that, committed")


def created_in_the_transaction(s):
    """WAL is skipped or not: either way the index is what it was after a restart."""
    s.sql("BEGIN; DROP TABLE t; CREATE TABLE t (id bigint, tenant int, v veravec(6))")
    s.load("t")
    s.sql(INDEX)
    s.load("t")
    s.right("in its transaction")
    s.sql("SAVEPOINT a; DROP INDEX t_v; ROLLBACK TO a; COMMIT")
    s.right("after COMMIT")


def persistence(s):
    s.sql("ALTER TABLE t SET UNLOGGED")
    s.right("SET UNLOGGED")
    s.sql("ALTER TABLE t SET LOGGED")
    s.right("SET LOGGED")


def rewriting(s):
    s.sql("VACUUM FULL t")
    s.right("VACUUM FULL")
    s.sql("CREATE INDEX t_tenant ON t (tenant); CLUSTER t USING t_tenant")
    s.right("CLUSTER on another index")
    s.sql("ALTER TABLE t ALTER tenant TYPE bigint; ALTER TABLE t ALTER tenant TYPE int")
    s.right("another column's type")
    s.sql("ALTER TABLE t ADD extra text DEFAULT repeat('x', 100); ALTER TABLE t DROP COLUMN extra")
    s.right("columns added and dropped")


def column_type(s):
    s.sql("ALTER TABLE t ALTER v TYPE veravec(3) USING subvector(v, 1, 3)")
    s.check("veravec(3)", check_index(s.connection, "t_v") or same_answers(s.connection, "t", s.vectors(3)))
    if ACCESS_METHOD == "veraflat":
        s.check("dimensions", s.one("SELECT dimensions FROM veraflat_index_info('t_v')") != 3)
        # That rewrites nothing, so PostgreSQL keeps the index, which then has to keep other dimensions out.
        s.sql("ALTER TABLE t ALTER v TYPE veravec")
        s.refused("INSERT INTO t VALUES (-1, 0, '[1,2]')", "22000")
    s.check("still", check_index(s.connection, "t_v") or same_answers(s.connection, "t", s.vectors(3)))


def partial_and_expression(s):
    s.sql("DROP INDEX t_v; " + index_sql("t", "t_v", where="tenant = 2"))
    s.right("partial", where="tenant = 2")
    s.sql("DROP TABLE t; CREATE TABLE t (id bigint, tenant int, v veravec)")
    s.load("t")
    s.sql(index_sql("t", "t_v", expression="(v::veravec(6))"))
    s.right("a cast", column="(v::veravec(6))")
    s.sql("DROP INDEX t_v; " + index_sql("t", "t_v", expression="(l2_normalize(v)::veravec(6))", where="tenant > 0"))
    s.right("an expression, partial", column="(l2_normalize(v)::veravec(6))", where="tenant > 0")


def partitioned(s):
    s.sql("DROP TABLE t; CREATE TABLE t (id bigint, tenant int, v veravec(6)) PARTITION BY LIST (tenant);"
          " CREATE TABLE t_0 PARTITION OF t FOR VALUES IN (0); CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1, 2)")
    s.sql(INDEX)
    s.sql("CREATE TABLE t_3 (id bigint, tenant int, v veravec(6))")
    s.load("t_3", 100)
    s.sql("UPDATE t_3 SET tenant = 3; ALTER TABLE t ATTACH PARTITION t_3 FOR VALUES IN (3)")
    s.load("t")
    s.right("with a partition attached")
    s.sql("UPDATE t SET tenant = (tenant + 1) % 4 WHERE id % 3 = 0")
    s.right("with rows that moved")
    s.sql("ALTER TABLE t DETACH PARTITION t_0; CREATE TABLE t_new PARTITION OF t FOR VALUES IN (0)")
    s.right("with a partition detached and a new one")
    s.check("the detached one", same_answers(s.connection, "t_0", s.vectors()))
    s.sql("DROP TABLE t_0; DROP INDEX t_v; CREATE INDEX t_v ON ONLY t USING " + index_sql("t").partition(" USING ")[2])
    for name in ("t_1", "t_3", "t_new"):
        s.sql(index_sql(name, f"{name}_v") + f"; ALTER INDEX t_v ATTACH PARTITION {name}_v")
    valid = s.one("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_v'::regclass")
    s.check("indexes attached one by one", not valid)
    s.right("with indexes attached")


def tablespaces(s):
    place = s.server.directory / "space"
    place.mkdir()
    if s.server.user:
        os.chown(place, s.server.user["user"], s.server.user["group"])
    s.sql(f"CREATE TABLESPACE space LOCATION '{place}'")
    s.sql("ALTER INDEX t_v SET TABLESPACE space")
    s.right("an index that was moved")
    s.sql("ALTER TABLE t SET TABLESPACE space; REINDEX (TABLESPACE pg_default) INDEX t_v")
    s.right("a table that was moved")
    s.sql("ALTER TABLE t SET TABLESPACE pg_default")
    s.sql("DROP TABLESPACE space")


def temporary(s):
    s.sql("DROP TABLE t; CREATE TEMPORARY TABLE t (id bigint, tenant int, v veravec(6))")
    s.load("t")
    s.sql(INDEX)
    s.right("a temporary table")
    s.sql("DROP TABLE t; CREATE TEMPORARY TABLE t (id bigint, tenant int, v veravec(6)) ON COMMIT DELETE ROWS")
    s.sql(INDEX)
    for _ in range(2):
        s.sql("BEGIN")
        s.load("t")
        s.right("ON COMMIT DELETE ROWS, in a transaction")
        s.sql("COMMIT")
        s.check("emptied", s.one("SELECT count(*) FROM t") or same_answers(s.connection, "t", s.vectors()))
    s.sql("DROP TABLE t")


def like(s):
    s.sql("DROP TABLE IF EXISTS u; CREATE TABLE u (LIKE t INCLUDING ALL)")
    s.load("u")
    s.right("LIKE INCLUDING ALL", "u")
    s.sql("CREATE TABLE v () INHERITS (u); " + index_sql("v", "v_v"))
    s.load("v")
    s.sql("UPDATE v SET id = id + 100000")
    s.right("an inheriting table", "u")
    s.sql("DROP TABLE u CASCADE")


def drop_index(s):
    size = "SELECT count(*) FROM pg_class WHERE relname = 't_v'"
    s.sql("BEGIN; DROP INDEX t_v; ROLLBACK")
    s.right("DROP INDEX that is rolled back")
    s.sql("DROP INDEX CONCURRENTLY t_v")
    s.check("DROP INDEX CONCURRENTLY", s.one(size))
    s.sql(INDEX + "; ALTER TABLE t DROP COLUMN v")
    s.check("dropped with its column", s.one(size))


def dump_and_restore(s):
    def run(program, *arguments, **options):
        return subprocess.run([BIN / program, "-h", s.server.directory, "-U", "postgres", *arguments], check=True,
                              capture_output=True, **options).stdout

    s.sql("DROP INDEX t_v; " + index_sql("t", "t_v", operator_class="veravec_l1_ops", where="tenant > 0"))
    s.sql(index_sql("t", "t_w"))
    s.sql("DROP DATABASE IF EXISTS copy")
    s.sql("CREATE DATABASE copy")
    run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "copy", input=run("pg_dump", "postgres"))
    with s.server.connect(dbname="copy") as copy:
        definitions = "SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1"
        before, after = (connection.execute(definitions).fetchall() for connection in (s.connection, copy))
        s.check("definitions", before != after and f"{before} {after}")
        for name in indexes(copy):
            s.check(name, check_index(copy, name))
        s.check("answers", same_answers(copy, "t", s.vectors()))
        s.check("answers of the L1 index",
                same_answers(copy, "t", s.vectors(), METRICS["veravec_l1_ops"], where="tenant > 0"))


def copied_database(s):
    """CREATE DATABASE copies index files, by file or through WAL."""
    s.sql("DROP DATABASE IF EXISTS copy")
    s.connection.close()
    with s.server.connect(dbname="template1") as other:
        for strategy in ("wal_log", "file_copy"):
            other.execute("DROP DATABASE IF EXISTS copy")
            other.execute(f"CREATE DATABASE copy TEMPLATE postgres STRATEGY {strategy}")
            with s.server.connect(dbname="copy") as copy:
                s.check(strategy, check_index(copy, "t_v") or same_answers(copy, "t", s.vectors()))
        other.execute("DROP DATABASE copy")
    s.connection = s.server.connect()


def restart(s):
    """A clean restart, and a crash, which a temporary copy of everything in shared memory does not survive."""
    for stop in (s.server.stop, s.server.kill):
        s.connection.close()
        stop()
        s.server.start()
        s.connection = s.server.connect()
        s.right(f"after {stop.__name__}")


def refusals(s):
    """What is not supported is refused as PostgreSQL refuses it for other access methods."""
    s.sql("ALTER TABLE t ADD w veravec")
    for statement, state in (
        ("CREATE INDEX ON t USING veraflat (v) WITH (foo = 1)", "22023"),
        ("CREATE INDEX ON t USING veraflat (v) WITH (fillfactor = 70)", "22023"),
        ("CREATE UNIQUE INDEX ON t USING veraflat (v)", "0A000"),
        ("CREATE INDEX ON t USING veraflat (v) INCLUDE (id)", "0A000"),
        ("CREATE INDEX ON t USING veraflat (v, v)", "0A000"),
        ("CREATE INDEX ON t USING veraflat (v ASC)", "0A000"),
        ("CREATE INDEX ON t USING veraflat (v NULLS FIRST)", "0A000"),
        ("ALTER TABLE t ADD EXCLUDE USING veraflat (v WITH =)", "42809"),
        ("ALTER TABLE t ADD EXCLUDE USING veraflat (v WITH <->)", "42809"),
        ("CREATE INDEX ON t USING veraflat (tenant)", "0A000"),
        ("CREATE INDEX ON t USING veraflat (v nonsense_ops)", "42704"),
        ("CREATE INDEX ON t USING veraflat (tenant veravec_ops)", "42804"),
        ("CREATE INDEX ON t USING veraflat (w)", "22023"),
        ("CREATE INDEX ON t USING veraflat ((w || w))", "22023"),
        ("CLUSTER t USING t_v", "0A000"),
        ("SELECT veraflat_check('t')", "42809"),
        ("SELECT veraflat_check('t_pkey')", "42809"),
        ("SELECT * FROM veraflat_index_info('t_pkey')", "42809"),
    ):
        if ACCESS_METHOD == "veraflat":
            s.refused(statement, state)
    s.right("after all refusals")


def query_of_other_dimensions(s):
    """The same error as without an index."""
    s.connection.execute(FORCED)
    s.refused(nearest("t", "<->", np.ones(5), 3), "22000")
    s.right("afterwards")


def privileges(s):
    """Those who may not read a table learn nothing of it through its index."""
    s.sql("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger; SET ROLE stranger")
    s.refused(nearest("t", "<->", np.ones(6), 3), "42501")
    if ACCESS_METHOD == "veraflat":
        s.refused("SELECT veraflat_check('t_v')", "42501")
    s.sql("RESET ROLE; DROP ROLE stranger")
    s.right("afterwards")


def no_order(s):
    """Where the planner must not scan the table, it has only the index, of which nobody wants an order."""
    s.sql("ALTER TABLE t DROP CONSTRAINT t_pkey; DROP INDEX t_v; " + index_sql("t", "t_v", where="tenant = 2"))
    right = s.one("SELECT count(*) FROM t WHERE tenant = 2")
    s.sql(FORCED)
    for query in ("SELECT count(*) FROM t WHERE tenant = 2", "SELECT count(id) FROM t WHERE tenant = 2",
                  "SELECT count(*) FROM (SELECT v FROM t WHERE tenant = 2 OFFSET 0) s"):
        count = s.one(query)
        s.check(query, count != right and f"{count} instead of {right}")
    s.sql(FREE)


def maintenance(s):
    """Little memory, costs, and disabled clean-up."""
    s.sql("SET maintenance_work_mem = '1MB'; SET vacuum_cost_delay = 1; REINDEX INDEX t_v")
    s.right("little memory")
    s.sql("DELETE FROM t WHERE id % 2 = 0")
    for option in ("INDEX_CLEANUP OFF", "INDEX_CLEANUP AUTO", "FREEZE, INDEX_CLEANUP ON", "PARALLEL 2", "ANALYZE"):
        s.sql(f"VACUUM ({option}) t")
        s.right(f"VACUUM ({option})")
    s.sql("RESET maintenance_work_mem; RESET vacuum_cost_delay; ANALYZE t")
    known, rows = s.one("SELECT reltuples FROM pg_class WHERE relname = 't_v'"), s.one("SELECT count(*) FROM t")
    s.check("pg_class.reltuples", known != rows and f"{known} instead of {rows}")


TESTS = (create, empty, truncate, created_in_the_transaction, persistence, rewriting, column_type,
         partial_and_expression, partitioned, tablespaces, temporary, like, drop_index, dump_and_restore,
         copied_database, restart, refusals, query_of_other_dimensions, privileges, no_order, maintenance)


def main():
    seed, only = seed_from("DDL_SEED"), os.environ.get("DDL_ONLY")
    checks = Checks()
    with Server("autovacuum = off", "wal_level = minimal", "max_wal_senders = 0") as server:
        subject = Subject(server, checks, seed)
        for test in TESTS:
            if only in (None, test.__name__):
                try:
                    subject.begin(test.__name__)
                    test(subject)
                except (psycopg.Error, RuntimeError, subprocess.CalledProcessError) as error:
                    details = getattr(error, "sqlstate", "") or getattr(error, "stderr", "")
                    subject.check("no unexpected error", f"{details} {error}")
                    subject.connection.close()
                    subject.connection = server.connect()
        checks.sound(server)
    checks.finish()


if __name__ == "__main__":
    main()
