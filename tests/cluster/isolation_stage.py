"""What every test of isolation.py starts from and ends with."""

import threading
import time

import numpy as np
import psycopg

from common import (ACCESS_METHOD, FORCED, SEQUENTIAL, answer, check_index, first_difference, index_sql, indexes,
                    literal, nearest, same_answers)
from server import copy_in

DIMENSIONS = 8
ROWS = 400


class Stage:
    """A server, a fresh table `t` with an index for each test, and sessions that are closed after it."""

    def __init__(self, server, checks, seed):
        self.server, self.checks, self.seed = server, checks, seed
        self.sessions = []
        self.test = ""

    def begin(self, test):
        self.test = test
        self.rng = np.random.default_rng(self.seed)
        self.next_id, self.dimensions = 0, DIMENSIONS
        self.main = self.session()
        self.main.execute("DROP TABLE IF EXISTS t")
        self.main.execute(f"CREATE TABLE t (id bigint, v veravec({DIMENSIONS})) WITH (autovacuum_enabled = off)")
        self.load(ROWS)
        self.main.execute(index_sql("t", "t_v", keys=("id",)))
        self.query = self.vector()

    def end(self):
        for session in self.sessions:
            session.close()
        self.sessions = []

    def session(self):
        self.sessions.append(self.server.connect())
        return self.sessions[-1]

    def vector(self):
        return self.rng.integers(-3, 4, self.dimensions).astype(np.float32)

    def load(self, count):
        copy_in(self.main, "t", {"id": "int8", "v": "veravec"}, [(self.new_id(), self.vector()) for _ in range(count)])

    def new_id(self):
        self.next_id += 1
        return self.next_id

    def insert(self, session, count=1, vector=None):
        """Inserts rows, near the query's vector unless another is given."""
        value = literal(self.query if vector is None else vector)
        for _ in range(count):
            session.execute(f"INSERT INTO t VALUES ({self.new_id()}, {value})")

    def check(self, what, problem):
        return self.checks.check(f"{self.test}: {what}", problem)

    def sequential(self, session, operator="<->"):
        session.execute(SEQUENTIAL)
        rows = answer(session, nearest("t", operator, self.query))
        session.execute(FORCED)
        return rows

    def cursor(self, session, operator="<->"):
        """Begins a transaction, opens a cursor `c` in index order, and returns what it must give: the answer now."""
        session.execute("BEGIN")
        right = self.sequential(session, operator)
        session.execute(f"DECLARE c NO SCROLL CURSOR FOR {nearest('t', operator, self.query)}")
        return right

    def nearest_differ(self, right):
        """How the 50 nearest rows by index differ from `right`."""
        return first_difference(answer(self.main, nearest("t", "<->", self.query, 50)), right, limit=50)

    def fetch(self, session, count="ALL"):
        return answer(session, f"FETCH {count} FROM c")

    def final(self):
        """The index is sound, gives the sequential scan's answers, and after VACUUM has as many rows as the table."""
        session = self.session()
        for name in indexes(session):
            self.check(f"veraflat_check({name})", check_index(session, name))
        self.check("answers at the end", same_answers(session, "t", [self.query, self.vector(), None]))
        if ACCESS_METHOD == "veraflat":
            session.execute("VACUUM (INDEX_CLEANUP ON) t")
            counts = session.execute(
                "SELECT (SELECT count(*) FROM t), rows FROM veraflat_index_info((SELECT indexrelid FROM pg_index"
                " WHERE indrelid = 't'::regclass AND indisvalid LIMIT 1))").fetchone()
            self.check("as many rows in the index as in the table", counts[0] != counts[1] and counts)

    def expect_error(self, what, session, statement, *states):
        try:
            session.execute(statement)
        except psycopg.Error as error:
            self.check(what, error.sqlstate not in states and f"{error.sqlstate} {error}")
        else:
            self.check(what, f"no error from {statement}")

    def wait_until_blocked(self, session):
        """Until another session waits for a lock (or has ended)."""
        pid = session.info.backend_pid
        for _ in range(400):
            row = self.main.execute(
                "SELECT state, wait_event_type FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone()
            if row is None or row == ("active", "Lock"):
                return
            time.sleep(0.01)
        raise TimeoutError("the other session does not wait for a lock")


def load_from(stage, connections, seconds, *meanwhile):
    """Concurrent sessions insert, update, delete and roll back, while another repeats the statements `meanwhile`."""
    deadline = time.monotonic() + seconds
    errors = []

    def work(number, session):
        rng = np.random.default_rng([stage.seed, number])
        row = 1_000_000 * (number + 1)
        while time.monotonic() < deadline:
            row += 20
            vectors = rng.integers(-3, 4, (rng.integers(1, 20), DIMENSIONS))
            values = ", ".join(f"({row + i}, {literal(vector)})" for i, vector in enumerate(vectors))
            session.execute("BEGIN")
            session.execute(f"INSERT INTO t VALUES {values}")
            session.execute(f"UPDATE t SET v = {literal(rng.integers(-3, 4, DIMENSIONS))} WHERE id = {row - 20}")
            session.execute(f"DELETE FROM t WHERE id BETWEEN {row - 200} AND {row - 150}")
            session.execute("ROLLBACK" if rng.random() < 0.2 else "COMMIT")

    def repeat(session):
        while time.monotonic() < deadline:
            for statement in meanwhile:
                session.execute(statement)

    def guarded(action, *arguments):
        try:
            action(*arguments)
        except psycopg.Error as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work, number, stage.session())) for number in range(connections)]
    threads.append(threading.Thread(target=guarded, args=(repeat, stage.session())))
    for thread in threads:
        thread.start()
    reader = stage.session()
    right = True
    while time.monotonic() < deadline and right:
        right = stage.check("answers under load", same_answers(reader, "t", [stage.query], must_use=False))
    for thread in threads:
        thread.join()
    stage.check("no errors", errors and errors[0])
