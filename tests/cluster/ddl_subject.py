"""What every test of ddl.py starts from, and what it checks with."""

import numpy as np
import psycopg

from common import check_index, index_sql, indexes, same_answers
from server import copy_in
from vectors import random_column

DIMENSIONS = 6
ROWS = 300
INDEX = index_sql("t", "t_v")


class Subject:
    """A server, and for each test a table `t` with random rows and the index `t_v`."""

    def __init__(self, server, checks, seed):
        self.server, self.checks, self.seed = server, checks, seed
        self.connection, self.test = server.connect(), ""

    def begin(self, test):
        self.test, self.rng = test, np.random.default_rng(self.seed)
        self.sql("DROP TABLE IF EXISTS t CASCADE")
        self.sql(f"CREATE TABLE t (id bigint PRIMARY KEY, tenant int, v veravec({DIMENSIONS}))")
        self.load("t")
        self.sql(INDEX)

    def sql(self, statement):
        return self.connection.execute(statement)

    def one(self, query):
        return self.sql(query).fetchone()[0]

    def load(self, table, count=ROWS):
        """More rows, with NULLs, zero vectors and ties among them."""
        first = self.one(f"SELECT coalesce(max(id), 0) + 1 FROM {table}")
        column = random_column(self.rng, "integers", count, DIMENSIONS, 0.05, 0.05)
        copy_in(self.connection, table, {"id": "int8", "tenant": "int4", "v": "veravec"},
                [(first + i, i % 4, vector) for i, vector in enumerate(column)])

    def check(self, what, problem):
        self.checks.check(f"{self.test}: {what}", problem)

    def vectors(self, dimensions=DIMENSIONS):
        return [self.rng.integers(-3, 4, dimensions).astype(np.float32), np.zeros(dimensions, dtype=np.float32), None]

    def right(self, what, table="t", dimensions=DIMENSIONS, **query):
        """Every index is sound, and the one of `table` gives right answers; before and after more changes."""
        for when in ("", ", then changed"):
            for name in indexes(self.connection):
                self.check(f"{what}{when}: {name}", check_index(self.connection, name))
            self.check(f"{what}{when}: answers",
                       same_answers(self.connection, table, self.vectors(dimensions), **query))
            if not when and self.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                self.sql(f"DELETE FROM {table} WHERE id % 5 = 0")
                self.sql(f"VACUUM (INDEX_CLEANUP ON) {table}")
                self.load(table, 60)

    def refused(self, statement, state, connection=None):
        try:
            (connection or self.connection).execute(statement)
        except psycopg.Error as error:
            self.check(statement, error.sqlstate != state and f"{error.sqlstate} {error}, expected {state}")
        else:
            self.check(statement, f"no error, expected {state}")
