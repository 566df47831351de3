"""Shared by the tests in this directory: counting checks, making indexes, asking one query by two plans.

Every test needs BIN, the directory of a PostgreSQL's programs, whose installation has the extension; it starts and
removes its own servers. ACCESS_METHOD=hash tests the tests themselves: everything runs, no plan uses an index.
"""

import os
import random
import re
import struct
import sys

import numpy as np
import psycopg

ACCESS_METHOD = os.environ.get("ACCESS_METHOD", "veraflat")

# What the planner may do: only the index, only sequential scan and sort, what it likes.
# (PostgreSQL 18 forgets that a plan is disabled where pruning leaves one partition: an Append of one does not count its
# child's disabled nodes. So nothing is pruned where the index must not be used.)
FORCED = (
    "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; SET enable_indexscan = on;"
    " RESET enable_partition_pruning"
)
SEQUENTIAL = (
    "SET enable_seqscan = on; SET enable_sort = on; SET enable_bitmapscan = off; SET enable_indexscan = off;"
    " SET enable_indexonlyscan = off; SET enable_partition_pruning = off"
)
FREE = (
    "RESET enable_seqscan; RESET enable_sort; RESET enable_bitmapscan; RESET enable_indexscan;"
    " RESET enable_indexonlyscan; RESET enable_partition_pruning"
)
PARALLEL = ("SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
            " SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0")

METRICS = {"veravec_ops": ("<->", "<#>", "<=>"), "veravec_l1_ops": ("<+>",)}


def number_from(name, default):
    """An integer parameter from the environment."""
    return int(os.environ.get(name, default))


def seed_from(name):
    """The seed in the environment variable `name`, or a new one; printed so that a failing run can be repeated."""
    seed = number_from(name, random.randrange(2**32))
    print(f"{name}={seed}", flush=True)
    return seed


class Checks:
    """Counts what held and says what did not."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, problem):
        """Passed if `problem` is None, False or empty; else it is printed."""
        if not problem:
            self.passed += 1
            return True
        self.failed += 1
        print(f"FAILED: {what}\n    " + str(problem).replace("\n", "\n    "), flush=True)
        return False

    def sound(self, server):
        """The server's log tells of no crash."""
        self.check(f"no crash in the log of the {server.name}", "\n".join(server.problems()))

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)


def literal(vector):
    """A vector (None for NULL) as SQL, to the last bit."""
    if vector is None:
        return "NULL::veravec"
    return "'[" + ",".join(map(str, np.asarray(vector, dtype=np.float32))) + "]'::veravec"


def abbreviated(sql):
    """SQL without the middle of its long vectors."""
    return re.sub(r"(\[[^\]]{60})[^\]]*\]", r"\1…]", sql)


# Indexes


def index_sql(table, name="", expression="v", operator_class="veravec_ops", where="", how="", keys=(), vector_at=0):
    """The statement that creates an index of the access method under test. `how` is CONCURRENTLY, ONLY or nothing.

    keys: expressions of key columns; the vector comes after as many of them as `vector_at` says.
    """
    if ACCESS_METHOD != "veraflat":
        operator_class, keys = "", ()
    if how == "CONCURRENTLY":
        name, how = f"CONCURRENTLY {name}", ""
    columns = ", ".join([*keys[:vector_at], f"{expression} {operator_class}", *keys[vector_at:]])
    return f"CREATE INDEX {name} ON {how} {table} USING {ACCESS_METHOD} ({columns})" + (
        f" WHERE {where}" if where else "")


def indexes(connection):
    """Names of all valid indexes of the access method under test."""
    rows = connection.execute(
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON i.indexrelid = c.oid"
        " JOIN pg_am a ON a.oid = c.relam WHERE a.amname = %s AND c.relkind = 'i' AND i.indisvalid"
        " AND NOT pg_is_other_temp_schema(c.relnamespace) ORDER BY 1",
        (ACCESS_METHOD,),
    )
    return [name for (name,) in rows]


def check_index(connection, name):
    """The complaint of veraflat_check about an index, or None."""
    if ACCESS_METHOD != "veraflat":
        return None
    try:
        connection.execute("SELECT veraflat_check(%s::regclass)", (name,))
    except psycopg.Error as error:
        return f"veraflat_check({name}): {error.sqlstate} {error}"
    return None


def uses_index(connection, query, names):
    """Whether the plan of a query uses an index among `names`: in a scan in its order, or in VeraFilterFirst."""
    plan = "\n".join(line for (line,) in connection.execute("EXPLAIN (COSTS OFF) " + query))
    used = {name.rpartition(".")[2].strip('"') for name in names}
    shown = re.findall(r"(?: using | Index: )(\S+)(?: on |$)", plan, re.MULTILINE)
    return not used.isdisjoint(shown), plan


# One query, two answers


def sort_key(distance):
    """The place of a distance in ORDER BY … ASC: numbers, then NaN, then NULL."""
    if distance is None:
        return 2, 0.0
    return (1, 0.0) if distance != distance else (0, distance)


def _same_bits(a, b):
    if a is None or b is None:
        return a is b
    return struct.pack("d", a) == struct.pack("d", b) or (a != a and b != b)


def first_difference(got, full, offset=0, limit=None, with_ties=False):
    """How `got` differs from rows offset … offset + limit of the whole answer `full`; None if it does not.

    Both are lists of (identity, distance), ordered by distance. Rows at equal distance may come in either order, and
    of a group that the window cuts any rows may be inside. So `got` is right if each of its rows is a row of `full`,
    has the same distance bit for bit, comes once, and if the distances are those of the window.
    """
    keys = [sort_key(distance) for _, distance in full]
    distances = dict(full)
    if keys != sorted(keys) or len(distances) != len(full):
        return "the sequential answer is itself not in order, or has a row twice"
    end = len(full) if limit is None else min(len(full), offset + limit)
    while with_ties and offset < end < len(full) and keys[end] == keys[end - 1]:
        end += 1
    if len(got) != max(0, end - offset):
        others = sorted(set(distances).symmetric_difference(identity for identity, _ in got), key=str)
        return f"{len(got)} rows instead of {max(0, end - offset)}; not in both whole answers: {others[:5]}"
    seen = set()
    for position, (identity, distance) in enumerate(got):
        example, right_distance = full[offset + position]
        right = f"row {position}: expected distance {right_distance!r} (as of row {example!r})"
        if identity not in distances:
            return f"{right}, got row {identity!r} at {distance!r}, which is not in the answer"
        if identity in seen:
            return f"{right}, got row {identity!r} at {distance!r} a second time"
        if not _same_bits(distance, distances[identity]):
            return f"row {identity!r} has distance {distances[identity]!r}, got {distance!r}"
        if sort_key(distance) != keys[offset + position]:
            return f"{right}, got row {identity!r} at {distance!r}"
        seen.add(identity)
    return None


def answer(connection, query):
    """The rows of a query in binary form, so that distances are exact, as tuples."""
    return connection.execute(query, binary=True).fetchall()


def nearest(table, operator, vector, limit=None, where="true", column="v", key="id"):
    """The common query: rows of a table by distance to a vector; to None for a NULL that the planner does not know."""
    window = "" if limit is None else f" LIMIT {limit}"
    order = f"{column} {operator} {'(SELECT NULL::veravec)' if vector is None else literal(vector)}"
    return f"SELECT {key}, {order} FROM {table} WHERE {where} ORDER BY {order}{window}"


def same_answers(connection, table, vectors, operators=METRICS["veravec_ops"], limits=(1, 10, None), must_use=True,
                 **query):
    """Compares the common query by index and by sequential scan, in one snapshot; the first difference, or None.

    must_use: a plan that does not use an index is a difference too. query: as for nearest(). Called in a transaction,
    it stays in it and leaves its planner settings there.
    """
    own = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    if own:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    try:
        names = indexes(connection)
        for vector in vectors:
            for operator in operators:
                connection.execute(SEQUENTIAL)
                full = answer(connection, nearest(table, operator, vector, **query))
                connection.execute(FORCED)
                for limit in limits:
                    statement = nearest(table, operator, vector, limit, **query)
                    difference = first_difference(answer(connection, statement), full, limit=limit)
                    if difference:
                        return f"{abbreviated(statement)}\n{difference}"
                    if must_use and ACCESS_METHOD == "veraflat":
                        used, plan = uses_index(connection, statement, names)
                        if not used:
                            return f"{abbreviated(statement)}\ndoes not use the index:\n{plan}"
    except psycopg.Error as error:
        return f"{table}: {error.sqlstate} {error}"
    finally:
        if own and not connection.closed:
            connection.execute("ROLLBACK")
    return None
