"""Random tables for oracle.py: what is in them, how it got there, and who else is changing it."""

import numpy as np

from common import METRICS, abbreviated, index_sql, literal
from server import copy_in
from vectors import KINDS, random_column, random_query

DIMENSIONS = (1, 2, 3, 8, 31, 64, 100, 384, 1536)
MOST_NUMBERS = 400_000  # in a table: rows times dimensions
OTHERS_IDS = 1_000_000  # rows of the second session have ids from here on


class Table:
    """A table `t` with one or two indexes, made by a random sequence of statements.

    rng: decides everything. connection: makes it. other: a second session, whose transaction may stay open.
    log: the statements so far, for reports.
    """

    def __init__(self, rng, connection, other):
        self.rng, self.connection, self.other = rng, connection, other
        self.log = []
        self.next_id = {connection: 1, other: OTHERS_IDS}
        self.kind = rng.choice(sorted(KINDS))
        self.nulls = rng.choice([0, 0.05, 0.3, 1], p=[0.6, 0.2, 0.18, 0.02])
        self.zeros = rng.choice([0, 0.02, 0.2])
        self.stored_dimensions = int(rng.choice(DIMENSIONS))
        self.vectors = []
        self.open_transaction = False
        self.persistence = rng.choice(["", "TEMPORARY", "UNLOGGED"], p=[0.7, 0.15, 0.15])
        self.partitioned = self.persistence == "" and rng.random() < 0.2
        self._choose_index()

    def sql(self, statement, connection=None):
        connection = connection or self.connection
        self.log.append(("" if connection is self.connection else "-- second session: ") + abbreviated(statement))
        return connection.execute(statement)

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    # The index

    def _choose_index(self):
        """Sets the indexed expression, its dimensions, the operator classes, and the condition of a partial index."""
        d = self.stored_dimensions
        self.column_type, self.expression, self.dimensions = f"veravec({d})", "v", d
        how = self.rng.random()
        if how < 0.1:
            self.column_type, self.expression = "veravec", f"(v::veravec({d}))"
        elif how < 0.2 and d > 1:
            self.dimensions = d // 2
            self.expression = f"(subvector(v, 1, {self.dimensions})::veravec({self.dimensions}))"
        usual, l1 = METRICS
        self.operator_classes = self.pick([usual], [usual], [l1], [usual, l1])
        self.operators = [operator for name in self.operator_classes for operator in METRICS[name]]
        self.where = self.pick("", "", "", "", "tenant < 3", "v IS NOT NULL", "tag = 'a'")

    def _create_indexes(self):
        for number, operator_class in enumerate(self.operator_classes):
            keys = self.pick((), (), ("tenant",), ("tag", "tenant"), ("id", "tag"))
            at = int(self.rng.integers(0, len(keys) + 1))
            self.sql(index_sql("t", f"t_index_{number}", self.expression, operator_class, self.where, keys=keys, vector_at=at))

    # Changes

    def _rows(self, connection, count):
        """Random rows (id, tenant, tag, data, v); their vectors join those that queries are made from."""
        column = random_column(self.rng, self.kind, count, self.stored_dimensions, self.nulls, self.zeros)
        self.vectors.extend(v if v is None else v[: self.dimensions] for v in column[:200])
        first = self.next_id[connection]
        self.next_id[connection] += count
        return [(first + i, int(self.rng.integers(0, 8)), "abc"[int(self.rng.integers(3))], f'{{"n": {i % 7}}}', v)
                for i, v in enumerate(column)]

    def load(self, count):
        """Many rows by COPY."""
        self.log.append(f"-- COPY t FROM STDIN: {count} rows")
        copy_in(self.connection, "t", {"id": "int8", "tenant": "int4", "tag": "text", "data": "text", "v": "veravec"},
                self._rows(self.connection, count))

    def insert(self, connection, count):
        rows = ", ".join(f"({i}, {tenant}, '{tag}', '{data}', {literal(v)})"
                         for i, tenant, tag, data, v in self._rows(connection, count))
        self.sql(f"INSERT INTO t VALUES {rows}", connection)

    def change(self, connection):
        """One random statement. The two sessions change different rows, so that neither waits for the other."""
        mine = f"id % 2 = {int(connection is self.other)}"
        some = f"{mine} AND id % {int(self.rng.integers(3, 40))} = {int(self.rng.integers(0, 3))}"
        new = literal(random_column(self.rng, self.kind, 1, self.stored_dimensions, 0.1, 0.1)[0])
        match self.pick("one", "several", "delete", "vector", "next", "other column", "tenant"):
            case "one":
                self.insert(connection, 1)
            case "several":
                self.insert(connection, int(self.rng.integers(2, 12)))
            case "delete":
                self.sql(f"DELETE FROM t WHERE {some}", connection)
            case "vector":
                self.sql(f"UPDATE t SET v = {new} WHERE {some}", connection)
            case "next":
                neighbour = "SELECT n.v FROM t n WHERE n.id = t.id + 1 LIMIT 1"
                self.sql(f"UPDATE t SET v = ({neighbour}) WHERE {some}", connection)
            case "other column":
                self.sql(f"UPDATE t SET data = 'null' WHERE {some}", connection)
            case "tenant":
                self.sql(f"UPDATE t SET tenant = (tenant + 1) % 8 WHERE {some}", connection)

    def _transaction_that_fails(self):
        self.sql("BEGIN")
        for _ in range(int(self.rng.integers(1, 4))):
            self.change(self.connection)
        self.sql("ROLLBACK")

    def _transaction_with_savepoints(self):
        self.sql("BEGIN")
        self.change(self.connection)
        self.sql("SAVEPOINT s")
        self.change(self.connection)
        self.sql(self.pick("ROLLBACK TO s", "RELEASE s"))
        self.change(self.connection)
        self.sql("COMMIT")

    def _step(self):
        room = MOST_NUMBERS // self.stored_dimensions
        match self.rng.choice(["load", "change", "fail", "savepoint", "vacuum", "reindex", "truncate"],
                              p=[0.25, 0.4, 0.1, 0.1, 0.1, 0.03, 0.02]):
            case "load":
                wanted = self.rng.choice([0, 1, 10, 100, 300, 1500, 20000], p=[0.05, 0.1, 0.2, 0.3, 0.25, 0.08, 0.02])
                self.load(min(int(wanted), room // 3))
            case "change":
                self.change(self.connection)
            case "fail":
                self._transaction_that_fails()
            case "savepoint":
                self._transaction_with_savepoints()
            case "vacuum":
                self.sql(self.pick("VACUUM t", "VACUUM (INDEX_CLEANUP ON) t", "VACUUM (FREEZE, INDEX_CLEANUP ON) t"))
            case "reindex":
                self.sql("REINDEX TABLE t")
            case "truncate":
                self.sql("TRUNCATE t")

    def build(self):
        """Creates the table, fills it, and creates the indexes before, after or in the middle of that."""
        self.sql("CREATE TABLE tenants (tenant int PRIMARY KEY);"
                 " INSERT INTO tenants SELECT generate_series(0, 6)")  # of 8
        columns = f"(id bigint NOT NULL, tenant int, tag text, data text, v {self.column_type})"
        if self.partitioned:
            by = self.pick("HASH (id)", "LIST (tenant)")
            self.sql(f"CREATE TABLE t {columns} PARTITION BY {by}")
            for i in range(3):
                values = f"WITH (MODULUS 3, REMAINDER {i})" if by == "HASH (id)" else f"IN ({2 * i}, {2 * i + 1})"
                self.sql(f"CREATE TABLE t_{i} PARTITION OF t FOR VALUES {values}")
            if by == "LIST (tenant)":
                self.sql("CREATE TABLE t_default PARTITION OF t DEFAULT")
        else:
            self.sql(f"CREATE {self.persistence} TABLE t {columns} WITH (autovacuum_enabled = off)")
        self.sql(f"ALTER TABLE t ALTER v SET STORAGE {self.pick('PLAIN', 'EXTERNAL', 'EXTERNAL', 'EXTENDED', 'MAIN')}")
        if not self.partitioned and self.rng.random() < 0.3:
            self.sql("CREATE INDEX ON t (tenant)")
        self.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY low ON t USING (tenant < 5);"
                 " GRANT ALL ON t, tenants TO reader")
        steps = int(self.rng.integers(1, 14))
        create_at = self.pick(0, steps, int(self.rng.integers(0, steps + 1)))
        for step in range(steps):
            if step == create_at:
                self._create_indexes()
            self._step()
        if create_at == steps:
            self._create_indexes()
        if self.rng.random() < 0.5:
            self.sql("ANALYZE t")

    def open_second_transaction(self):
        """The second session changes rows and neither commits nor rolls back yet."""
        if self.persistence == "TEMPORARY":
            return
        self.sql("BEGIN", self.other)
        for _ in range(int(self.rng.integers(1, 5))):
            self.change(self.other)
        self.open_transaction = True

    def end_second_transaction(self):
        if self.open_transaction:
            self.sql(self.pick("COMMIT", "ROLLBACK"), self.other)
            self.open_transaction = False

    def query_vector(self):
        pool = self.vectors[-int(self.rng.integers(1, 400)):]
        return random_query(self.rng, self.kind, pool, self.dimensions)

    def a_distance(self):
        """A number that is likely to lie among the distances."""
        sums = [float(np.abs(v.astype(np.float64)).sum()) for v in self.vectors[-50:] if v is not None]
        scale = max(sums, default=1.0)
        return float(self.rng.choice([0.0, 0.5, 1.0, scale, scale / max(1, self.dimensions) ** 0.5]))
