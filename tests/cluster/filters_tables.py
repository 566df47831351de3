"""Random tables for filters.py: vectors with many ties, metadata of many types, indexes of many kinds beside ours."""

import json

import numpy as np

from common import METRICS, abbreviated, index_sql
from vectors import random_column, random_vectors

WORDS = ("cat", "dog", "bird", "fish", "horse", "snake")
TAGS = ("red", "green", "blue", "new", "old")
KINDS = ("a", "b", "c", "ab", "Abc", "b_d", "%", "")
DAYS = 60  # of the timestamps, about the day that the tests call today
TODAY = "2026-01-01 00:00:00+00"
TENANTS = 8
COLUMNS = ("id", "tenant", "at", "tag", "flag", "tags", "meta", "body", "words", "pad", "v")
READERS = ("reader_a", "reader_b")

# Indexes beside ours; each table has some of them.
OTHER_INDEXES = (
    "(tenant)", "(tenant, at)", "(at DESC, tag)", "(tag text_pattern_ops)", "(tag, tenant) INCLUDE (id)",
    "(flag, tenant)", "(lower(tag))", "((meta ->> 'kind'))", "(((meta ->> 'n')::int))", "(id)", "USING hash (tag)",
    "USING hash (tenant)",
    "USING gin (meta)", "USING gin (meta jsonb_path_ops)", "USING gin (tags)", "USING gin (words)",
    "USING gin (tags, meta) WITH (fastupdate = off)", "USING gin (to_tsvector('simple', body))", "USING gist (words)",
    "USING spgist (tag)", "USING brin (at) WITH (pages_per_range = 4)",
    "USING brin (id, tenant) WITH (pages_per_range = 2)", "(at) WHERE flag", "(tenant) WHERE tag = 'a'",
    "(tenant, tag) WHERE meta IS NOT NULL", "USING gin (tags) WHERE tenant < 4", "(name_class(tag))",
)
OFTEN_MANY_ROWS = ("(id)", "(flag, tenant)", "USING gin (tags)")

# Key columns of our indexes.
KEYS = ("tenant", "tenant", "at", "tag", "flag", "id", "(lower(tag))", "(((meta ->> 'n')::int))", "(id % 7)", "((meta ->> 'kind'))")

POLICIES = (
    "USING (tenant = current_setting('app.tenant')::int)",
    "USING (tenant IN (SELECT g.tenant FROM grants g WHERE g.role = current_user))",
    "USING (flag)",
    "USING (tags && ARRAY['red', 'old'])",
    "USING (meta @> '{\"kind\": \"a\"}' OR tenant IS NULL)",
    "USING (is_low(tenant))",
    "USING (at < now() OR tenant > 3)",
)

FUNCTIONS = """
CREATE FUNCTION is_low(tenant int) RETURNS boolean STABLE LANGUAGE plpgsql AS 'BEGIN RETURN tenant < 5; END';
CREATE FUNCTION is_even(id bigint) RETURNS boolean VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN id % 2 = 0; END';
CREATE FUNCTION name_class(tag text) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE sql AS 'SELECT length($1) % 3';
CREATE FUNCTION today() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT ''2026-01-01 00:00:00+00''::timestamptz';
CREATE FUNCTION current_tenant() RETURNS int STABLE LANGUAGE sql AS 'SELECT current_setting(''app.tenant'')::int';
"""


def vector_text(vector):
    """A vector as the type prints it; None stays None."""
    return None if vector is None else "[" + ",".join(map(str, vector)) + "]"


class Table:
    """A table `t` with its indexes and two small tables beside it, `n` and `queries`.

    rng: decides everything. log: the statements so far, for reports.
    """

    def __init__(self, rng, connection):
        self.rng, self.connection, self.log = rng, connection, []
        self.next_id = 1
        self.kind = self.pick(*["integers"] * 3, "duplicates", "one_hot", "gaussian", "all_equal", "clustered")
        self.nulls, self.zeros = self.pick(0, 0.05, 0.3), self.pick(0, 0.02, 0.2)
        self.dimensions = self.pick(1, 2, 3, 3, 5, 8, 24)
        self.vectors = []
        # In 64 kB of memory a bitmap of about a thousand pages is lossy. Here each row has a page of its own.
        self.many_pages = rng.random() < 0.25
        self.row_count = int(rng.integers(2500, 3500)) if self.many_pages else self.pick(*[200, 600, 1500, 3000] * 4, 0)
        self.partitions = self.pick(*[""] * (9 if self.many_pages else 3), "RANGE (at)", "LIST (tenant)", "HASH (id)")
        self.readers = rng.random() < 0.35

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def some(self, choices, least, most):
        """Between `least` and `most` different ones of the choices."""
        count = min(len(choices), int(self.rng.integers(least, most + 1)))
        return [choices[i] for i in self.rng.choice(len(choices), count, replace=False)]

    def sql(self, statement, connection=None):
        self.log.append(("-- second session: " if connection else "") + abbreviated(statement))
        return (connection or self.connection).execute(statement)

    # Rows

    def _metadata(self):
        """A document or None. Its numbers are numbers and its kinds are text, so that casts in filters never fail."""
        if self.rng.random() < 0.06:
            return None
        document = {}
        if self.rng.random() < 0.8:
            document["n"] = int(self.rng.integers(0, 20))
        if self.rng.random() < 0.8:
            document["kind"] = self.pick(*KINDS[:4])
        if self.rng.random() < 0.4:
            document["labels"] = self.some(TAGS, 0, 3)
        if self.rng.random() < 0.3:
            document["nested"] = {"deep": {"n": int(self.rng.integers(0, 3))}, "x": self.pick(True, False, None)}
        return json.dumps(document)

    def _row(self, vector):
        rng = self.rng
        words = self.some(WORDS, 0, 4)
        row = (
            self.next_id,
            int(min(TENANTS, rng.geometric(0.3)) - 1),
            TODAY if rng.random() < 0.05 else
            f"{self.pick(2025, 2026)}-{rng.integers(1, 13):02}-{rng.integers(1, 29):02} {rng.integers(24):02}:00:00+00",
            self.pick(*KINDS),
            self.pick("t", "f", "f", "f"),
            "{" + ",".join(self.some(TAGS, 0, 3)) + "}",
            self._metadata(),
            " ".join(words),
            " ".join(f"{word}:{place + 1}" for place, word in enumerate(words)),
            "x" * (4100 if self.many_pages else self.pick(0, 0, 20, 200)),
            vector_text(vector),
        )
        self.next_id += 1
        return [None if 0 < column < 10 and rng.random() < 0.04 else value for column, value in enumerate(row)]

    def load(self, count, connection=None):
        vectors = random_column(self.rng, self.kind, count, self.dimensions, self.nulls, self.zeros)
        self.vectors = [v for v in vectors[:100] if v is not None] or self.vectors
        self.log.append(f"-- COPY t FROM STDIN: {count} rows from id {self.next_id}")
        with (connection or self.connection).cursor().copy(f"COPY t ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            for vector in vectors:
                copy.write_row(self._row(vector))

    def change(self, connection=None):
        """One random statement."""
        some = f"id % {int(self.rng.integers(3, 30))} = {int(self.rng.integers(0, 3))}"
        vector = f"'{vector_text(self.query_vector())}'"
        match self.pick("load", "delete", "delete many", "move", "vector", "flag", "tags", "meta", "tenant"):
            case "load":
                self.load(int(self.rng.integers(1, 60)), connection)
            case "delete":
                self.sql(f"DELETE FROM t WHERE {some}", connection)
            case "delete many":
                self.sql(f"DELETE FROM t WHERE tenant = {self.rng.integers(0, TENANTS)} AND id % 4 <> 0", connection)
            case "move":
                self.sql(f"UPDATE t SET v = (SELECT n.v FROM n WHERE n.id = t.id % 20) WHERE {some}", connection)
            case "vector":
                self.sql(f"UPDATE t SET v = {vector} WHERE {some}", connection)
            case "flag":
                self.sql(f"UPDATE t SET flag = NOT flag, pad = 'y' WHERE {some}", connection)
            case "tags":
                self.sql(f"UPDATE t SET tags = tags || '{{old}}', words = 'cat:1 dog:2' WHERE {some}", connection)
            case "meta":
                self.sql(f"UPDATE t SET meta = meta || '{{\"n\": 3, \"kind\": \"b\"}}' WHERE {some}", connection)
            case "tenant":
                self.sql(f"UPDATE t SET tenant = (tenant + 1) % {TENANTS}, tag = 'a' WHERE {some}", connection)

    # Building

    def build(self):
        self.sql(FUNCTIONS)
        self._create_small_tables()
        self._create_table()
        if self.readers:
            self._create_policies()
        ours_at, others_at = self.pick("before", "middle", "middle", "after"), self.pick("before", "middle", "after")
        for when in ("before", "middle", "after"):
            if ours_at == when:
                self._create_our_indexes()
            if others_at == when:
                for index in sorted({*self.some(OTHER_INDEXES, 1, 8), *(OFTEN_MANY_ROWS if self.many_pages else ())}):
                    self.sql(f"CREATE INDEX ON t {index}")
            if when == "before":
                self.load(self.row_count)
            elif when == "middle":
                for _ in range(int(self.rng.integers(0, 8))):
                    self.change()
                if self.rng.random() < 0.4:
                    self.sql("VACUUM (INDEX_CLEANUP ON) t")
                    self.load(int(self.rng.integers(0, 200)))
        if self.rng.random() < 0.6:
            self.sql("ANALYZE t")

    def _create_small_tables(self):
        d = self.dimensions
        columns = f"(id bigint, tenant int, tag text, v veravec({d}))"
        for name, count in (("n", 20), ("queries", 8)):
            values = ", ".join(
                f"({i}, {self.pick('NULL', *range(TENANTS))}, '{self.pick('a', 'b', 'c')}',"
                f" {'NULL' if self.rng.random() < 0.1 else repr(vector_text(v))}::veravec)"
                for i, v in enumerate(random_vectors(self.rng, self.kind, count, d)))
            self.sql(f"CREATE TABLE {name} {columns}; INSERT INTO {name} VALUES {values}")
        self.sql("CREATE TABLE grants (role name, tenant int); INSERT INTO grants VALUES ('reader_a', 0),"
                 " ('reader_a', 3), ('reader_b', 1), ('reader_b', 2), ('reader_b', NULL)")

    def _create_table(self):
        """v is sometimes declared without dimensions, and the index then has them: table.expression."""
        d = self.dimensions
        plain = self.rng.random() < 0.15
        self.expression = f"(%s.v::veravec({d}))" if plain else "%s.v"
        columns = ("(id bigint NOT NULL, tenant int, at timestamptz, tag text, flag boolean, tags text[], meta jsonb,"
                   f" body text, words tsvector, pad text, v {'veravec' if plain else f'veravec({d})'})")
        kind = self.pick("", "", "UNLOGGED") if not self.partitions else ""
        if not self.partitions:
            options = f"autovacuum_enabled = off, fillfactor = {self.pick(100, 100, 30)}"
            self.sql(f"CREATE {kind} TABLE t {columns} WITH ({options})")
        else:
            self.sql(f"CREATE TABLE t {columns} PARTITION BY {self.partitions}")
            bounds = {
                "RANGE (at)": ("FROM (MINVALUE) TO ('2025-07-01')", "FROM ('2025-07-01') TO ('2026-02-01')", None),
                "LIST (tenant)": ("IN (0)", "IN (1, 2, NULL)", None),
                "HASH (id)": tuple(f"WITH (MODULUS 3, REMAINDER {i})" for i in range(3)),
            }[self.partitions]
            for number, bound in enumerate(bounds):
                self.sql(f"CREATE TABLE t_{number} PARTITION OF t {f'FOR VALUES {bound}' if bound else 'DEFAULT'}")
        if self.many_pages:
            self.sql("ALTER TABLE t ALTER pad SET STORAGE PLAIN")
        self.sql("CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM t WHERE tenant <> 2;"
                 f" GRANT ALL ON t, n, queries, grants, barrier TO {', '.join(READERS)}")

    def _create_policies(self):
        self.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        for number, policy in enumerate(self.some(POLICIES, 1, 3)):
            restrictive = "AS RESTRICTIVE" if number > 0 and self.rng.random() < 0.3 else ""
            self.sql(f"CREATE POLICY p{number} ON t {restrictive} TO {self.pick('PUBLIC', *READERS)} {policy}")

    def _create_our_indexes(self):
        """One or two. table.where is the condition of a partial one."""
        usual, l1 = METRICS
        expression = (self.expression % "t").replace("t.", "")
        self.where = self.pick("", "", "", "", "", "flag", "tenant < 4", "v IS NOT NULL")
        for number, operator_class in enumerate(self.pick((usual,), (usual,), (l1,), (usual, l1))):
            keys = self.some(KEYS, 0, 3) if self.rng.random() < 0.6 else []
            vector_at = int(self.rng.integers(0, len(keys) + 1))
            self.sql(index_sql("t", f"t_v_{number}", expression, operator_class, self.where, keys=keys, vector_at=vector_at))

    def query_vector(self):
        """Mostly one that is stored; never NULL."""
        if self.vectors and self.rng.random() < 0.5:
            return self.vectors[self.rng.integers(len(self.vectors))]
        if self.rng.random() < 0.15:
            return np.zeros(self.dimensions, dtype=np.float32)
        return random_vectors(self.rng, self.kind, 1, self.dimensions)[0]
