"""A filter never changes the answer, whatever finds the rows that pass it: random WHERE clauses, each in several plans.

Each scenario makes a table with metadata and indexes of many kinds (filters_tables.py) and asks it random queries
(filters_queries.py, filters_predicates.py): by sequential scan and sort, by our index, by bitmaps of other indexes, by
what PostgreSQL chooses, all in one snapshot; where there is vera_vec.enable_filter_first, with it and without.

FILTERS_SEED repeats a run; FILTERS_SCENARIO with it, one scenario of it. FILTERS_SECONDS (25) says how long it goes on.
Needs BIN; ends with a line `N passed, N failed`.
"""

import collections
import contextlib
import itertools
import re
import time

import numpy as np
import psycopg

from common import (ACCESS_METHOD, FORCED, FREE, PARALLEL, SEQUENTIAL, Checks, abbreviated, answer, check_index,
                    indexes, number_from, seed_from)
from filters_queries import random_query
from filters_tables import READERS, TENANTS, Table
from filters_waiting import Waiting, no_write_skew
from server import Server

QUERIES = 8  # in each transaction
TRANSACTIONS = 4  # in each scenario
SETTING = "vera_vec.enable_filter_first"
CUSTOM_SCAN = "Custom Scan ("
IDLE = psycopg.pq.TransactionStatus.IDLE
BITMAPS = "SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off"

# Ways to plan: name → (settings after FREE, whether the filter may come first).
REFERENCE = "sequential"
PLANS = {
    REFERENCE: (SEQUENTIAL, False),
    "our index": (FORCED, False),
    "bitmaps": (BITMAPS, False),
    "bitmaps, no sort, no pruning": (f"{BITMAPS}; SET enable_sort = off; SET enable_partition_pruning = off", False),
    "free": ("SELECT", False),
    "filter first": ("SELECT", True),
    "filter first, alone": (f"{BITMAPS}; SET enable_sort = off", True),
    "filter first, no pruning": ("SET enable_seqscan = off; SET enable_partition_pruning = off", True),
    "filter first, no sequential scan": ("SET enable_seqscan = off", True),
}


class Scenario:
    """One table, its queries and the ways to ask them. What it does follows from (seed, number) alone."""

    def __init__(self, server, checks, counts, seed, number):
        self.name = f"FILTERS_SEED={seed} FILTERS_SCENARIO={number}"
        self.rng = np.random.default_rng([seed, number])
        self.checks, self.counts = checks, counts
        self.circumstances, self.how, self.statement = [], "", ""  # of the last query, for reports
        self.connection, self.writer = server.connect(), server.connect()
        self.connection.execute("DROP SCHEMA IF EXISTS scenario CASCADE; CREATE SCHEMA scenario;"
                                f" GRANT USAGE ON SCHEMA scenario TO {', '.join(READERS)}; LOAD 'vera_vec'")
        for connection in (self.connection, self.writer):
            connection.execute("SET search_path = scenario, public; SET timezone = 'UTC'; SET app.tenant = '0'")
        self.has_setting = has_setting(self.connection)
        self.table = Table(self.rng, self.connection)
        self.pick = self.table.pick

    def close(self):
        self.connection.close()
        self.writer.close()

    def run(self):
        try:
            self.table.build()
            self.ours = {name.rpartition(".")[2] for name in indexes(self.connection)}
            for _ in range(TRANSACTIONS):
                with self.transaction() as (may_lock, may_change):
                    self.ask(may_lock, may_change)
                if self.rng.random() < 0.4:
                    Waiting(self).run()
                if self.rng.random() < 0.3:
                    self.table.change()
                if self.rng.random() < 0.2:
                    self.table.sql("VACUUM t")
            for name in indexes(self.connection):
                self.settle("veraflat_check", name, check_index(self.connection, name))
        except psycopg.Error as error:
            self.settle(f"{self.how}, or a later statement of the scenario", self.statement, f"{error.sqlstate} {error}")

    def settle(self, how, statement, problem):
        """Counts a check; a problem (not None) is reported with what led to it."""
        if problem:
            history = "\n".join(self.table.log)
            problem = (f"{problem}\nby: {how}\nwith: {', '.join(self.circumstances)}\n"
                       f"statement: {abbreviated(statement)}\nhistory:\n{history}")
        self.checks.check(self.name, problem)

    @contextlib.contextmanager
    def transaction(self):
        """One snapshot, in random circumstances. Yields whether rows may be locked and changed in it."""
        execute, table = self.connection.execute, self.table
        self.circumstances = []
        execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        execute("SELECT count(*) FROM t")
        concurrent = self.rng.random() < 0.25
        if concurrent:  # after the snapshot, so that it has to see the rows as they were
            for _ in range(int(self.rng.integers(1, 4))):
                table.change(self.writer)
            table.sql("VACUUM (TRUNCATE off) t", self.writer)  # truncating would wait for our lock
        elif self.rng.random() < 0.2:
            self.writer.execute("BEGIN")
            table.sql(f"SELECT FROM t WHERE id % {self.rng.integers(2, 9)} = 1 FOR UPDATE", self.writer)
        if not concurrent and self.rng.random() < 0.2 and self.writer.info.transaction_status == IDLE:
            table.sql("SAVEPOINT own")
            for _ in range(int(self.rng.integers(1, 4))):
                table.change()
        if self.rng.random() < (0.9 if table.many_pages else 0.2):
            self.during("SET LOCAL work_mem = '64kB'")
        if self.rng.random() < 0.15:
            self.during(PARALLEL.replace("SET ", "SET LOCAL "))
        if table.partitions and self.rng.random() < 0.3:
            self.during("SET LOCAL enable_partitionwise_join = on")
        self.during(f"SET LOCAL plan_cache_mode = {self.pick('auto', 'force_generic_plan', 'force_custom_plan')}")
        self.become_somebody()
        yield not concurrent, not concurrent and self.writer.info.transaction_status == IDLE
        execute("ROLLBACK")
        execute("DEALLOCATE ALL")
        self.writer.execute("ROLLBACK" if self.writer.info.transaction_status != IDLE else "SELECT")
        self.circumstances = []

    def during(self, settings):
        self.circumstances.append(settings)
        self.connection.execute(settings)

    def become_somebody(self):
        """The session's tenant, and often a role that policies are for, if there are any."""
        role = self.pick("NONE", *READERS) if self.table.readers else "NONE"
        self.during(f"SET LOCAL app.tenant = '{self.rng.integers(0, TENANTS)}'; SET LOCAL ROLE {role}")

    def plan_after_error(self):
        """The plan of the statement that failed, planned again in a new transaction."""
        if self.connection.closed:
            return "the session has ended"
        execute, name = self.connection.execute, self.how
        execute("ROLLBACK")
        execute("BEGIN")
        for settings in self.circumstances:
            execute(settings)
        try:
            self.set_plan(name)
            return self.plan(self.statement)
        except psycopg.Error as error:
            return f"{error.sqlstate} {error}"
        finally:
            execute("ROLLBACK")

    # Ways to ask

    def ask(self, may_lock, may_change):
        for _ in range(QUERIES):
            query = random_query(self.table, may_lock, may_change)
            way = self.pick(self.directly, self.directly, self.directly, self.prepared, self.by_cursor)
            if query.changes or not query.constants.makers:
                way = self.directly
            try:
                way(query)
            except psycopg.Error as error:
                plan = self.plan_after_error()
                self.settle(f"{way.__name__}, {self.how}", self.statement, f"{error.sqlstate} {error}\nplan:\n{plan}")
                return

    def plans(self):
        """Some of the ways to plan, of those that there are."""
        names = [name for name, (_, first) in PLANS.items()
                 if name != REFERENCE and (self.has_setting or not first)]
        return self.table.some(names, 2, len(names)) if self.rng.random() < 0.5 else names

    def set_plan(self, name):
        self.how = name
        settings, filter_first = PLANS[name]
        self.connection.execute(f"{FREE}; {settings}")
        if self.has_setting:
            self.connection.execute(f"SET {SETTING} = {'on' if filter_first else 'off'}")

    def plan(self, statement):
        self.statement = statement
        return "\n".join(line for (line,) in self.connection.execute(f"EXPLAIN (COSTS OFF) {statement}"))

    def uses_ours(self, plan):
        return any(name in self.ours for name in re.findall(r" using (\S+) on ", plan))

    def reference(self, query, values):
        """All rows that can be in the answer, by sequential scan and sort."""
        self.set_plan(REFERENCE)
        statement = query.full_sql(values)
        plan = self.plan(statement)
        if self.uses_ours(plan) or CUSTOM_SCAN in plan:
            self.settle("sequential plan", statement, f"it is not sequential:\n{plan}")
        return self.rows(query, statement)

    def rows(self, query, statement):
        """The answer of a statement; what it changes is undone."""
        self.statement = statement
        if not query.changes:
            return answer(self.connection, statement)
        self.connection.execute("SAVEPOINT change")
        rows = answer(self.connection, statement)
        self.connection.execute("ROLLBACK TO change; RELEASE change")
        return rows

    def judge(self, name, query, statement, rows, full):
        """Counts what plan there is now, under the settings `name`, and whether `rows` is the answer."""
        plan = self.plan(statement)
        first = CUSTOM_SCAN in plan
        self.counts[name] += 1
        self.counts[f"{name}: our index"] += self.uses_ours(plan)
        self.counts[f"{name}: bitmaps"] += "Bitmap Index Scan" in plan
        self.counts[f"{name}: filter first"] += first
        problem = query.difference(rows, full)
        if first and not PLANS[name][1]:
            problem = f"a custom scan though {SETTING} is off"
        if problem:
            problem = f"{problem}\nexpected, without a window: {full[:8]}\ngot: {rows[:8]}\nplan:\n{plan}"
        self.settle(name, statement, problem)

    def directly(self, query):
        values = query.constants.values()
        full, statement = self.reference(query, values), query.sql(values)
        for name in self.plans():
            self.set_plan(name)
            self.judge(name, query, statement, self.rows(query, statement), full)
        if self.table.many_pages and not query.changes:
            self.count_lossy(statement)

    def count_lossy(self, statement):
        """Counts whether a bitmap had to forget which rows of a page it meant."""
        self.set_plan("bitmaps")
        lines = self.connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}").fetchall()
        self.counts["lossy bitmaps"] += any(" lossy=" in line for (line,) in lines)

    def prepared(self, query):
        """Each way to plan has a statement of its own, since a generic plan stays what it was when it was made."""
        types = query.constants.types()
        names = self.plans()
        for number, name in enumerate(names):
            text = query.sql([f"${i + 1}" for i in range(len(types))])
            self.connection.execute(f"PREPARE p{number}({', '.join(types)}) AS {text}")
        generic_comes = "auto" in self.circumstances[-2] and self.rng.random() < 0.4
        for round_number in range(7 if generic_comes else 3):
            if self.table.readers and self.rng.random() < 0.3:
                self.become_somebody()
            values = query.constants.values()
            full = self.reference(query, values) if not generic_comes or round_number in (0, 6) else None
            for number, name in enumerate(names):
                self.set_plan(name)
                statement = f"EXECUTE p{number}({', '.join(values)})"
                rows = self.rows(query, statement)
                if full is not None:
                    self.judge(name, query, statement, rows, full)
        self.connection.execute("DEALLOCATE ALL")

    def by_cursor(self, query):
        """In parts; from a scroll cursor first some rows, and then from the beginning again."""
        values = query.constants.values()
        full, statement = self.reference(query, values), query.sql(values)
        kind = "" if query.suffix else self.pick("", "NO SCROLL", "SCROLL")
        for name in self.plans():
            self.set_plan(name)
            self.statement, rows, problem = statement, [], None
            self.connection.execute(f"DECLARE c {kind} CURSOR FOR {statement}")
            if kind == "SCROLL":
                some = answer(self.connection, "FETCH 4 FROM c")
                self.connection.execute("MOVE ABSOLUTE 0 FROM c")
            part = self.pick(1, 2, 7)
            while chunk := answer(self.connection, f"FETCH {part} FROM c"):
                rows += chunk
                part = part if len(rows) < 20 else 1000
            self.connection.execute("CLOSE c")
            if kind == "SCROLL" and repr(some) != repr(rows[:4]):
                problem = f"other rows after going back: {some}, {rows[:4]}"
            self.settle(f"{name}, cursor", statement, problem)
            self.judge(name, query, statement, rows, full)


def has_setting(connection):
    return bool(connection.execute(f"SELECT FROM pg_settings WHERE name = '{SETTING}'").rowcount)


def report(counts):
    for name in PLANS:
        if counts[name]:
            shares = ", ".join(f"{kind} {counts[f'{name}: {kind}'] / counts[name]:.0%}"
                               for kind in ("our index", "bitmaps", "filter first"))
            print(f"{name}: {counts[name]} plans; {shares}")
    print(f"{counts['lossy bitmaps']} queries with lossy bitmaps; {counts['waited']} waited for another transaction")


def main():
    seed, only = seed_from("FILTERS_SEED"), number_from("FILTERS_SCENARIO", -1)
    seconds = number_from("FILTERS_SECONDS", 25)
    checks, counts, started = Checks(), collections.Counter(), time.monotonic()
    with Server("autovacuum = off") as server:
        checks.check("no write skew within a radius", no_write_skew(server))
        with server.connect() as connection:
            connection.execute("; ".join(f"CREATE ROLE {reader}" for reader in READERS) + "; LOAD 'vera_vec'")
            filter_first = has_setting(connection)
        for number in itertools.count(max(only, 0)):
            scenario = Scenario(server, checks, counts, seed, number)
            scenario.run()
            scenario.close()
            if only >= 0 or checks.failed >= 20 or time.monotonic() - started > seconds:
                break
        checks.sound(server)
    print(f"{number + 1 - max(only, 0)} scenarios")
    report(counts)
    if only < 0 and ACCESS_METHOD == "veraflat":
        for name, kind in (("our index", "our index"), ("bitmaps", "bitmaps")):
            checks.check(f"some plans use {kind}", not counts[f"{name}: {kind}"])
        if filter_first:
            checks.check("some plans filter first", not any(counts[f"{name}: filter first"] for name in PLANS))
    elif not filter_first:
        print(f"{SETTING} is unknown")
    checks.finish()


if __name__ == "__main__":
    main()
