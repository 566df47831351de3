"""The index never changes the answer: random tables, random queries, each by index and by sequential scan.

Each scenario makes a table with its indexes (oracle_tables.py) and asks it random queries (oracle_queries.py) in
random ways: directly, prepared, through cursors; inside transactions of every kind; while another session changes rows.

ORACLE_SEED repeats a run; ORACLE_SCENARIO with it, one scenario of it. ORACLE_SECONDS (200) or ORACLE_CASES, if that is
given, says how many queries. Needs BIN; ends with a line `N passed, N failed`.
"""

import contextlib
import itertools
import re
import time

import numpy as np
import psycopg

from common import (ACCESS_METHOD, FORCED, FREE, PARALLEL, SEQUENTIAL, Checks, abbreviated, answer, check_index,
                    first_difference, indexes, literal, number_from, seed_from, uses_index)
from oracle_queries import random_query, vector_in_sql
from oracle_tables import Table
from server import Server

QUERIES = 24  # of each scenario, at least
COPIES_IDS = 10_000_000  # the third session's rows have ids from here on
# An order by distance and then by another column, which PostgreSQL takes from an index only from 17 on.
TIES_BROKEN = re.compile(r"Sort Key: .*, (\w+\.)?id$", re.MULTILINE)
INDEXED = 0.9  # at least this share of forced plans uses the index


def _by_first_column(rows):
    groups = {}
    for group, *rest in rows:
        groups.setdefault(group, []).append(tuple(rest))
    return groups


def difference(query, got, full):
    """How rows `got` for a Query differ from `full`, the sequential plan's without a window; None if they do not."""
    groups_got, groups_full = (_by_first_column(rows) if query.grouped else {None: rows} for rows in (got, full))
    if not set(groups_got) <= set(groups_full):
        return f"rows for {set(groups_got) - set(groups_full)}, which have none in the sequential plan"
    for group, right in groups_full.items():
        rows = groups_got.get(group, [])
        if not query.with_distance:
            distances = dict(right)
            rows = [(identity, distances.get(identity)) for (identity,) in rows]
        end = None if query.limit is None else query.offset + query.limit
        if query.total_order:
            found = None if rows == right[query.offset: end] else _first_unequal(rows, right[query.offset: end])
        else:
            found = first_difference(rows, right, query.offset, query.limit, query.with_ties)
        if found:
            return found if group is None else f"outer row {group}: {found}"
    return None


def _first_unequal(got, right):
    """The first place where two lists differ; NaN is equal to NaN."""
    for position, (a, b) in enumerate(itertools.zip_longest(got, right)):
        if repr(a) != repr(b):
            return f"row {position}: expected {b}, got {a}"
    return None


class Scenario:
    """One table, its queries and the ways to ask them. What it does follows from (seed, number) alone."""

    def __init__(self, server, checks, counts, seed, number):
        self.name = f"ORACLE_SEED={seed} ORACLE_SCENARIO={number}"
        self.rng = np.random.default_rng([seed, number])
        self.checks, self.counts = checks, counts
        self.copies = 0
        self.lasting = ""
        self.connection, self.other, self.writer = (server.connect() for _ in range(3))
        self.connection.execute("DROP SCHEMA IF EXISTS scenario CASCADE; CREATE SCHEMA scenario;"
                                " GRANT USAGE ON SCHEMA scenario TO reader")
        for connection in (self.connection, self.other, self.writer):
            connection.execute("SET search_path = scenario, public")
        self.table = Table(self.rng, self.connection, self.other)

    def close(self):
        for connection in (self.connection, self.other, self.writer):
            connection.close()

    def run(self):
        table = self.table
        try:
            table.build()
            self.check_indexes("after it was built")
            table.open_second_transaction()
            self.ask(QUERIES // 2)
            table.end_second_transaction()
            if self.rng.random() < 0.5:
                table.sql("VACUUM t")
            self.ask(QUERIES // 2)
            self.check_indexes("at the end")
        except psycopg.Error as error:
            self.settle(f"{error.sqlstate} {error}", "a statement of the scenario")

    def settle(self, problem, query):
        """Counts a check; a problem (not None) is reported with what led to it."""
        if problem:
            history = "\n".join(self.table.log[-40:])
            problem = f"{problem}\nquery: {abbreviated(query)}\nwith: {self.lasting}\nhistory:\n{history}"
        self.checks.check(self.name, problem)

    def check_indexes(self, when):
        for name in indexes(self.connection):
            self.settle(check_index(self.connection, name), f"veraflat_check {when}")

    # Ways to ask

    def ask(self, count):
        for _ in range(count):
            query = random_query(self.table)
            ways = [self.directly] * 4 + [self.by_cursor, self.by_scroll_cursor]
            with self.circumstances() as in_transaction:
                if in_transaction:  # where rows have changed since its snapshot, locking them is an error
                    query.suffix = ""
                if not in_transaction and not query.suffix:
                    ways += [self.prepared, self.by_cursor_with_hold]
                way = ways[self.rng.integers(len(ways))]
                try:
                    way(query)
                except psycopg.Error as error:
                    self.settle(f"{way.__name__}: {error.sqlstate} {error}", query.sql("$1"))
                    self.connection.execute("ROLLBACK")  # after a crash this ends the scenario

    @contextlib.contextmanager
    def circumstances(self):
        """Something that lasts during a query. Yields whether it is a transaction block."""
        execute, table = self.connection.execute, self.table
        self.lasting = table.pick(*["nothing"] * 3, "little memory", "parallel", "snapshot", "own changes",
                                  "row security")
        match self.lasting:
            case "nothing":
                yield False
            case "little memory":
                execute("SET work_mem = '64kB'")
                yield False
                execute("RESET work_mem")
            case "parallel":
                execute(PARALLEL)
                yield False
                execute(re.sub(r"SET (\w+) = \w+", r"RESET \1", PARALLEL))
            case "snapshot":
                level = table.pick("REPEATABLE READ", "SERIALIZABLE")
                execute(f"BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM t")
                if table.persistence != "TEMPORARY" and not table.open_transaction:
                    self.concurrent_commits()
                yield True
                execute("ROLLBACK")
            case "own changes":
                table.sql("BEGIN")
                table.change(self.connection)
                table.sql("SAVEPOINT a")
                table.change(self.connection)
                if self.rng.random() < 0.5:
                    table.sql("ROLLBACK TO a")
                yield True
                table.sql("ROLLBACK")
            case "row security":
                execute("SET ROLE reader")
                yield False
                execute("RESET ROLE")

    def concurrent_commits(self):
        """A third session changes the table, and VACUUM tries to remove what the first can still see."""
        self.copies += 1
        self.table.sql("DELETE FROM t WHERE id % 5 = 1; UPDATE t SET tag = 'b' WHERE id % 5 = 2", self.writer)
        self.table.sql("VACUUM (TRUNCATE off) t", self.writer)  # which would wait for our lock
        self.table.sql(f"INSERT INTO t SELECT id + {self.copies * COPIES_IDS}, tenant, tag, data, v FROM t"
                       f" WHERE id % 3 = 0 AND id < {COPIES_IDS}", self.writer)

    def mode(self, statement):
        """Sets what the planner may do, and counts how often it then uses the index."""
        if self.rng.random() < 0.1:
            self.connection.execute(FREE)
            return
        self.connection.execute(FORCED)
        if "NULL::veravec" in statement:  # a distance that is NULL at plan time is no order
            return
        used, plan = uses_index(self.connection, statement, indexes(self.connection))
        if self.connection.info.server_version < 170000 and not used and TIES_BROKEN.search(plan):
            return
        self.counts["forced"] += 1
        self.counts["indexed"] += used
        self.counts["plan"] = self.counts["plan"] if used else f"{self.name}\n{abbreviated(statement + plan)}"

    def compare(self, way, query, vector, got):
        """Checks the rows `got` against the sequential plan's."""
        self.connection.execute(SEQUENTIAL)
        full_sql = query.full_sql(vector)
        used, plan = uses_index(self.connection, full_sql, indexes(self.connection))
        found = f"the sequential plan uses the index:\n{plan}" if used else difference(
            query, got, answer(self.connection, full_sql))
        self.settle(found and f"{way}: {found}", query.sql(vector))

    def directly(self, query):
        vector = vector_in_sql(self.table)
        self.mode(query.sql(vector))
        self.compare("directly", query, vector, answer(self.connection, query.sql(vector)))

    def prepared(self, query):
        """Executed often enough that PostgreSQL may change to a generic plan, or made to use one from the beginning."""
        generic = self.rng.random() < 0.5
        self.connection.execute(f"SET plan_cache_mode = {'force_generic_plan' if generic else 'auto'}")
        self.connection.execute(f"PREPARE p(veravec) AS {query.sql('$1')}")
        for _ in range(3 if generic else 7):
            vector = literal(self.table.query_vector())
            self.mode(f"EXECUTE p({vector})")
            self.compare("prepared", query, vector, answer(self.connection, f"EXECUTE p({vector})"))
        self.connection.execute("DEALLOCATE p; RESET plan_cache_mode")

    @contextlib.contextmanager
    def cursor(self, query, kind):
        """A cursor `c`, declared in the transaction that there is or in one of its own. Yields the query's vector."""
        idle = self.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        own = idle and "HOLD" not in kind
        if own:
            self.connection.execute("BEGIN")
        vector = vector_in_sql(self.table)
        self.mode(query.sql(vector))
        self.connection.execute(f"DECLARE c {kind} FOR {query.sql(vector)}")
        yield vector
        self.connection.execute("CLOSE c")
        if own:
            self.connection.execute("COMMIT")

    def fetch(self, what):
        return answer(self.connection, f"FETCH {what} FROM c")

    def fetch_in_chunks(self):
        rows = []
        while True:
            count = int(self.table.pick(1, 1, 2, 7, 50, 1000))
            chunk = self.fetch(count)
            rows += chunk
            if len(chunk) < count:
                return rows

    def by_cursor(self, query):
        """In chunks, some of which come after the session's own changes, which a cursor must not see."""
        with self.cursor(query, "NO SCROLL CURSOR") as vector:
            first = int(self.rng.integers(1, 20))
            rows = self.fetch(first)
            change = self.rng.random() < 0.3 and self.lasting not in ("snapshot", "row security") and not query.suffix
            if change:
                self.table.sql("SAVEPOINT b")
                self.table.change(self.connection)
            if len(rows) == first:
                rows += self.fetch_in_chunks()
            if change:  # the sequential plan must not see it either
                self.table.sql("ROLLBACK TO b")
            self.compare("by cursor", query, vector, rows)

    def by_cursor_with_hold(self, query):
        with self.cursor(query, "CURSOR WITH HOLD") as vector:
            self.compare("by cursor with hold", query, vector, self.fetch_in_chunks())

    def by_scroll_cursor(self, query):
        """Forwards and backwards: every row is where it was the first time.

        Only by plans with the index under test: PostgreSQL 15 to 17 themselves lose rows where a scan of a btree index
        for `IN (…)` goes backwards.
        """
        query.suffix = ""
        with self.cursor(query, "SCROLL CURSOR") as vector:
            used, _ = uses_index(self.connection, query.sql(vector), indexes(self.connection))
            some = self.fetch(5)
            if used:
                self.fetch("BACKWARD 3")
            self.fetch("ABSOLUTE 0")
            rows = self.fetch("ALL")
            problem = None if repr(rows[:len(some)]) == repr(some) else "other rows after going back"
            for _ in range(4 if used else 0):
                place = int(self.rng.integers(1, len(rows) + 1)) if rows else 1
                if repr(self.fetch(f"ABSOLUTE {place}")) != repr(rows[place - 1: place]):
                    problem = f"another row at ABSOLUTE {place}"
                if repr(self.fetch("BACKWARD 2")) != repr(rows[max(0, place - 3): place - 1][::-1]):
                    problem = f"other rows at BACKWARD 2 from {place}"
            self.settle(problem, query.sql(vector))
            self.compare("by scroll cursor", query, vector, rows)


def main():
    seed, only = seed_from("ORACLE_SEED"), number_from("ORACLE_SCENARIO", -1)
    cases, seconds = number_from("ORACLE_CASES", 0), number_from("ORACLE_SECONDS", 200)
    checks, counts, started = Checks(), {"forced": 0, "indexed": 0, "plan": ""}, time.monotonic()
    with Server("autovacuum = off", "max_prepared_transactions = 2") as server:
        with server.connect() as connection:
            connection.execute("CREATE ROLE reader")
        for number in itertools.count(max(only, 0)):
            scenario = Scenario(server, checks, counts, seed, number)
            scenario.run()
            scenario.close()
            done = checks.passed + checks.failed
            if only >= 0 or checks.failed >= 20 or (done >= cases if cases else time.monotonic() - started > seconds):
                break
        checks.sound(server)
    print(f"{number + 1 - max(only, 0)} scenarios; {counts['indexed']} of {counts['forced']} forced plans used an"
          f" index; the last that did not: {counts['plan']}")
    if ACCESS_METHOD == "veraflat" and only < 0:
        checks.check("most forced plans use the index", counts["indexed"] < INDEXED * counts["forced"])
    checks.finish()


if __name__ == "__main__":
    main()
