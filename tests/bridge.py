"""The bridge to pgvector: its types and its operators with an index of ours.

That answers are those of the sequential scan, `tests/cluster/oracle.py` tests with VECTOR_TYPE=vector and halfvec; here is the rest. Needs the
environment of a server whose database is empty, and whose installation has pgvector.
"""

import os
import pathlib
import subprocess
import sys

import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "cluster"))
from common import Checks  # noqa: E402

TYPES = {"vector": "veravec", "halfvec": "verahalfvec"}
OPERATORS = {"l2": "<->", "ip": "<#>", "cosine": "<=>", "l1": "<+>"}
ROWS, DIM = 3000, 48


class Bridge:
    def __init__(self):
        self.checks = Checks()
        self.connection = psycopg.connect(autocommit=True)

    def sql(self, statement):
        return self.connection.execute(statement)

    def value(self, statement):
        return self.sql(statement).fetchone()[0]

    def plan(self, query):
        return "\n".join(row[0] for row in self.sql(f"EXPLAIN (COSTS OFF) {query}"))

    def same(self, what, query, uses):
        """The query uses the index, or what else `uses` says, and gives the sequential scan's distances."""
        self.sql("SET enable_seqscan = off; SET enable_sort = off")
        plan, got = self.plan(query), self.sql(query).fetchall()
        self.sql("RESET ALL; SET enable_indexscan = off; SET enable_bitmapscan = off; SET vera_vec.enable_filter_first = off")
        right = self.sql(query).fetchall()
        self.sql("RESET ALL")
        self.checks.check(f"{what}: plan", uses not in plan and plan)
        self.checks.check(f"{what}: answer", [row[1] for row in got] != [row[1] for row in right] and f"{got[:3]}, not {right[:3]}")

    def table(self, type_name):
        self.sql(f"DROP TABLE IF EXISTS items; CREATE TABLE items (id int PRIMARY KEY, tenant int, embedding {type_name}({DIM}))")
        self.sql(f"INSERT INTO items SELECT i, i % 10, array_agg(sin(i * 7.3 + j * 1.7 + i * j % 5))::real[]::{type_name}"
                 f" FROM generate_series(1, {ROWS}) i, generate_series(1, {DIM}) j GROUP BY i")
        self.sql(f"INSERT INTO items VALUES (0, 0, NULL), (-1, 1, array_fill(0, ARRAY[{DIM}])::real[]::{type_name})")
        self.sql("ANALYZE items")

    def operator_classes(self, type_name):
        """Each class, as pgvector's users know it, serves its operator; and those of codes that are alike, each other's."""
        for name, operator in OPERATORS.items():
            self.sql(f"CREATE INDEX items_{name} ON items USING veraflat (embedding {type_name}_{name}_ops)")
            for other in [operator] if name == "l1" else ["<->", "<#>", "<=>"]:
                query = f"SELECT id, embedding {other} (SELECT embedding FROM items WHERE id = 42) FROM items ORDER BY 2 LIMIT 20"
                self.same(f"{type_name}_{name}_ops, {other}", query, f"items_{name}")
            self.sql(f"SELECT veraflat_check('items_{name}')")
            self.sql(f"DROP INDEX items_{name}")
        self.checks.check(f"{type_name}: valid classes", self.value(
            "SELECT count(*) FILTER (WHERE amvalidate(c.oid)) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod"
            f" WHERE amname = 'veraflat' AND opcintype = '{type_name}'::regtype") != 4)

    def filters(self, type_name):
        self.sql("CREATE INDEX items_keys ON items USING veraflat (embedding, tenant)")
        query = "SELECT id, embedding <=> (SELECT embedding FROM items WHERE id = 42) FROM items WHERE {} ORDER BY 2 LIMIT 20"
        self.same(f"{type_name}: key column", query.format("tenant = 3"), "Index Cond: (tenant = 3)")
        self.sql("DROP INDEX items_keys; CREATE INDEX items_v ON items USING veraflat (embedding); CREATE INDEX items_tenant ON items (tenant)")
        self.sql("SET enable_indexscan = off; SET enable_seqscan = off; SET enable_sort = off")
        plan = self.plan(query.format("tenant = 3"))
        self.checks.check(f"{type_name}: filter first", "VeraFilterFirst" not in plan and plan)
        self.sql("RESET ALL")
        count = "SELECT 1, count(*) FROM items WHERE embedding <=> (SELECT embedding FROM items WHERE id = 42) < 0.4"
        self.same(f"{type_name}: within a radius", count, "VeraFilterFirst")
        self.sql("VACUUM items")
        self.same(f"{type_name}: within a radius, all visible", count, "VeraFilterFirst")
        self.sql("DROP INDEX items_v, items_tenant")

    def side_by_side(self, type_name):
        """An approximate index and an exact one on one column: the planner may take either, and either may be dropped."""
        self.sql(f"CREATE INDEX items_hnsw ON items USING hnsw (embedding {type_name}_cosine_ops)")
        self.sql(f"CREATE INDEX items_exact ON items USING veraflat (embedding {type_name}_cosine_ops)")
        query = "SELECT id, embedding <=> (SELECT embedding FROM items WHERE id = 42) FROM items ORDER BY 2 LIMIT 20"
        self.sql("SET enable_seqscan = off")
        plan = self.plan(query)
        self.checks.check(f"{type_name}: one of the two", "items_hnsw" not in plan and "items_exact" not in plan and plan)
        self.sql("INSERT INTO items SELECT id + 100000, tenant, embedding FROM items; DELETE FROM items WHERE id > 100000")
        self.sql("VACUUM items")
        self.sql("DROP INDEX items_hnsw; RESET ALL")
        self.same(f"{type_name}: without the other", query, "items_exact")
        self.sql("DROP INDEX items_exact")

    def casts(self, theirs, ours):
        """The bytes are the same, so that a column changes its type where it lies, and its values are what they were."""
        node = "SELECT relfilenode FROM pg_class WHERE relname = 'items'"
        before, values = self.value(node), self.value(f"SELECT md5(string_agg(embedding::text, ',' ORDER BY id)) FROM items")
        query = "SELECT id, embedding{} <=> (SELECT embedding{} FROM items WHERE id = 42) FROM items ORDER BY 2 LIMIT 20"
        cast = f"::{ours}({DIM})"
        self.sql(f"CREATE INDEX items_cast ON items USING veraflat ((embedding{cast}))")
        self.same(f"{ours}: an index of the cast", query.format(cast, cast), "items_cast")
        self.sql("DROP INDEX items_cast")
        for typmod, explicit in (f"{DIM}", "NULL"), ("NULL", "true"):
            self.checks.check(f"{ours}: NULL for {typmod}, {explicit}", self.value(
                f"SELECT count({ours}(embedding::{ours}, {typmod}, {explicit})) FROM items") != 0)
        self.sql("CREATE TABLE explicit (is_explicit boolean); INSERT INTO explicit VALUES (NULL)")
        self.checks.check(f"{ours}: NULL for what is NULL in a row", self.value(
            f"SELECT count({ours}(embedding::{ours}, {DIM}, is_explicit)) FROM items, explicit") != 0)
        self.sql("DROP TABLE explicit")
        # The declared dimensions are taken from a declaration that says the same, and from no other.
        self.refused(f"{theirs} to {ours}({DIM + 1})", f"ALTER TABLE items ALTER embedding TYPE {ours}({DIM + 1})")
        for target in f"{ours}({DIM})", theirs, ours, theirs:
            self.sql(f"ALTER TABLE items ALTER embedding TYPE {target}")
            self.checks.check(f"{target}: not rewritten", self.value(node) != before)
            self.checks.check(f"{target}: the same values", self.value(
                "SELECT md5(string_agg(embedding::text, ',' ORDER BY id)) FROM items") != values)
        self.checks.check(f"{theirs}: there and back", self.value(
            f"SELECT count(*) FROM items WHERE embedding::{ours}::{theirs} <> embedding OR {ours}_send(embedding::{ours}) <> {theirs}_send(embedding)"))
        self.refused(f"{theirs} without dimensions to {ours}({DIM + 1})", f"ALTER TABLE items ALTER embedding TYPE {ours}({DIM + 1})")
        self.sql(f"ALTER TABLE items ALTER embedding TYPE {ours}({DIM})")
        self.sql("CREATE INDEX items_ours ON items USING veraflat (embedding)")
        self.same(f"{ours}: with an index of its own", query.format("", ""), "items_ours")

    def refused(self, what, statement):
        try:
            self.sql(statement)
            problem = "done"
        except psycopg.errors.DataException as error:
            problem = error.sqlstate != "22000" and error.sqlstate
        self.checks.check(f"{what} is refused", problem)

    def dump(self):
        """Both extensions and the index come back."""
        self.table("vector")
        self.sql("CREATE INDEX items_v ON items USING veraflat (embedding vector_ip_ops)")
        program = lambda name: os.path.join(os.environ["BIN"], name)  # noqa: E731
        dumped = subprocess.run([program("pg_dump")], capture_output=True, text=True, check=True).stdout
        self.sql("CREATE DATABASE restored")
        restored = subprocess.run([program("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", "restored"], input=dumped, capture_output=True, text=True)
        with psycopg.connect(dbname="restored") as copy:
            definition = copy.execute("SELECT pg_get_indexdef('items_v'::regclass)").fetchone()[0]
        self.checks.check("dumped and restored", restored.stderr or "veraflat (embedding vector_ip_ops)" not in definition and definition)
        self.sql("DROP DATABASE restored")

    def dependencies(self):
        for statement, what in ("DROP EXTENSION vector", "vector"), ("DROP EXTENSION vera_vec", "vera_vec"):
            try:
                self.sql(statement)
                problem = "it went"
            except psycopg.errors.DependentObjectsStillExist:
                problem = None
            self.checks.check(f"{what} does not go while the bridge is there", problem)
        self.sql("DROP TABLE items; DROP EXTENSION vera_vec_pgvector; DROP EXTENSION vector; DROP EXTENSION vera_vec")


def main():
    bridge = Bridge()
    bridge.sql("CREATE EXTENSION vera_vec; CREATE EXTENSION vector; CREATE EXTENSION vera_vec_pgvector")
    for theirs, ours in TYPES.items():
        bridge.table(theirs)
        bridge.operator_classes(theirs)
        bridge.filters(theirs)
        bridge.side_by_side(theirs)
        bridge.casts(theirs, ours)
    bridge.dump()
    bridge.dependencies()
    print(f"{bridge.checks.passed} passed, {bridge.checks.failed} failed")
    return 0 if bridge.checks.passed and not bridge.checks.failed else 1


if __name__ == "__main__":
    sys.exit(main())
