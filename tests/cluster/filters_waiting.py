"""FOR UPDATE that waits, in READ COMMITTED: the filter is checked again, on what a row has become in the meantime."""

import threading
import time

import psycopg

from common import answer, first_difference
from filters_predicates import Constants, predicate

# What the other transaction does to some rows; never to the key of a partition.
CHANGES = (
    "flag = NOT flag", "tags = '{red,new}', words = 'bird:1'", "tag = 'a', flag = true", "meta = '{\"n\": 3}'",
    "v = (SELECT n.v FROM n WHERE n.id = t.id % 20)", "tag = NULL, meta = NULL, v = NULL",
)
RESTORE = "tag = s.tag, flag = s.flag, tags = s.tags, meta = s.meta, words = s.words, v = s.v"


class Waiting:
    """One query and one change of some rows, which is done and undone for each way to plan.

    The rows come in the order of the distances that they had before, and with the values that they have now.
    """

    def __init__(self, scenario):
        self.scenario, self.table = scenario, scenario.table
        self.connection, self.writer = scenario.connection, scenario.writer
        pick = self.table.pick
        c = Constants(self.table)
        d = f"{self.table.expression % 't'} {c.operator} {c.new('veravec', c.constant_vector)}"
        where = "ctid"
        while "ctid" in where or "SELECT" in where:  # updating moves rows; subqueries are not asked again
            where = predicate(c, "t", d)
        self.limit = pick(1, 3, 10, 30)
        query = f"SELECT t.id, {d}, t.tag, t.flag FROM t WHERE {where} ORDER BY {d}"
        for number, value in enumerate(c.values()):
            query, d = query.replace(f"«{number}»", value), d.replace(f"«{number}»", value)
        self.query, self.distance = query, d

    def run(self):
        scenario = self.scenario
        self.writer.execute("DROP TABLE IF EXISTS saved; CREATE TABLE saved AS SELECT * FROM t")
        before = dict(answer(self.connection, f"SELECT id, {self.distance} FROM t"))
        scenario.set_plan("sequential")
        nearest = [str(row[0]) for row in answer(self.connection, f"{self.query} LIMIT 40")]
        self.some = f"id = ANY ('{{{','.join(self.table.some(nearest, 1, 20))}}}')"
        self.change = f"UPDATE t SET {self.table.pick(*CHANGES)} WHERE {self.some}"
        right = self.ask(f"{self.query} FOR UPDATE OF t")
        full = [(row[0], before[row[0]]) for row in right]
        limited = f"{self.query} LIMIT {self.limit} FOR UPDATE OF t"
        for name in scenario.plans():
            scenario.set_plan(name)
            plan = scenario.plan(limited)
            got = self.ask(limited)
            problem = first_difference([(row[0], before[row[0]]) for row in got], full, limit=self.limit)
            strangers = set(map(repr, got)) - set(map(repr, right))
            if strangers:
                problem = f"rows that are not in the whole answer, or not as they are now: {sorted(strangers)[:5]}"
            scenario.settle(f"{name}, waiting for {self.change}", limited, problem and f"{problem}\nplan:\n{plan}")

    def ask(self, statement):
        """The answer to a query that begins before the change is committed and ends after it."""
        got, errors = [], []

        def work():
            try:
                got.extend(answer(self.connection, statement))
            except Exception as error:  # the main thread raises it
                errors.append(error)

        self.writer.execute("BEGIN")
        self.writer.execute(self.change)
        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive() and not self.blocked():
            time.sleep(0.002)
        self.scenario.counts["waited"] += thread.is_alive()
        self.writer.execute("COMMIT")
        thread.join()
        self.writer.execute(f"UPDATE t SET {RESTORE} FROM saved s WHERE s.id = t.id AND t.{self.some}")
        if errors:
            raise errors[0]
        return got

    def blocked(self):
        pid = self.connection.info.backend_pid
        return self.writer.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,)).fetchone()[0]


def no_write_skew(server):
    """Two SERIALIZABLE transactions that each look within a radius and insert there: a difference if both commit.

    Without a bitmap no other index is read, so the scan itself has to take the lock that the inserts meet.
    """
    near = "SELECT id FROM skew WHERE v <-> '[0,0]' < 5 ORDER BY v <-> '[0,0]' LIMIT 100"
    with server.connect() as one, server.connect() as other:
        one.execute("CREATE TABLE skew (id int, v veravec(2))")
        one.execute("INSERT INTO skew SELECT i, ARRAY[i, i]::real[]::veravec(2) FROM generate_series(1, 3000) i")
        one.execute("CREATE INDEX ON skew USING veraflat (v)")
        one.execute("ANALYZE skew")
        for session in (one, other):
            session.execute("SET enable_seqscan = off; SET enable_sort = off; BEGIN ISOLATION LEVEL SERIALIZABLE")
            session.execute(near).fetchall()
        one.execute("INSERT INTO skew VALUES (-1, '[0,1]')")
        try:
            other.execute("INSERT INTO skew VALUES (-2, '[1,0]')")
            one.execute("COMMIT")
            other.execute("COMMIT")
        except psycopg.errors.SerializationFailure:
            return None
        finally:
            one.execute("ROLLBACK")
            other.execute("ROLLBACK")
            one.execute("DROP TABLE skew")
    return "both transactions committed"
