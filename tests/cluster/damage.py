"""Damaged index files: an error or the right answer, never a crash, a hang or a wrong answer.

Builds many small indexes, notes right answers, stops the server, damages each index file at random (bits, runs of
bytes, pages), starts the server, and then scans, checks, inserts and vacuums. At last REINDEX has to mend everything.

DAMAGE_SEED repeats a run, DAMAGE_ROUNDS (4) makes it longer. Needs BIN; ends with a line `N passed, N failed`.
"""

import collections
import contextlib
import os
import random
import signal
import threading

import numpy as np
import psycopg

from common import (ACCESS_METHOD, FORCED, METRICS, SEQUENTIAL, Checks, answer, check_index, first_difference,
                    index_sql, literal, nearest, number_from, same_answers, seed_from)
from server import Server, copy_in
from vectors import random_column, random_query

PAGE = 8192
INDEXES = 60
DIMENSIONS = (1, 3, 16, 100, 384, 1000, 3000)
CORRUPTED = {"XX001", "XX002"}
STATEMENT_TIMEOUT = 20  # seconds
HANGS = 60  # seconds after which a backend that does not even heed the timeout is killed


class Subject:
    """One table, its index, and the answers that are right for it."""

    def __init__(self, rng, number):
        self.rng, self.name = rng, f"subject_{number}"
        self.index = f"{self.name}_v"
        self.dimensions = DIMENSIONS[number % len(DIMENSIONS)]
        self.operator_class = "veravec_l1_ops" if rng.random() < 0.25 else "veravec_ops"
        self.operators = METRICS[self.operator_class]
        self.kind = str(rng.choice(["gaussian", "clustered", "integers", "normalised", "outlier_dimensions"]))
        self.damage = "none"

    def create(self, connection):
        count = int(self.rng.integers(1, min(2000, 200_000 // self.dimensions)))
        column = random_column(self.rng, self.kind, count, self.dimensions, 0.03, 0.03)
        connection.execute(f"CREATE TABLE {self.name} (id bigint, v veravec({self.dimensions}))")
        copy_in(connection, self.name, {"id": "int8", "v": "veravec"}, enumerate(column))
        connection.execute(index_sql(self.name, self.index, operator_class=self.operator_class,
                                     keys=("id", "(id % 5)") if self.rng.random() < 0.5 else ()))
        if self.rng.random() < 0.5:
            connection.execute(f"DELETE FROM {self.name} WHERE id % 3 = 0")
            connection.execute(f"VACUUM (INDEX_CLEANUP ON) {self.name}")
            copy_in(connection, self.name, {"id": "int8", "v": "veravec"}, enumerate(column[: count // 6], 1_000_000))
        self.queries = [random_query(self.rng, self.kind, column, self.dimensions) for _ in range(3)]

    def note(self, connection):
        """Remembers the right answers, and where the index is."""
        connection.execute(SEQUENTIAL)
        self.right = {(operator, number): answer(connection, nearest(self.name, operator, vector))
                      for operator in self.operators for number, vector in enumerate(self.queries)}
        (self.path,) = connection.execute("SELECT pg_relation_filepath(%s)", (self.index,)).fetchone()


def damage(rng, path):
    """Damages a file in one of several ways and says in which."""
    data = bytearray(path.read_bytes())
    pages = len(data) // PAGE

    def place():
        """Anywhere, the first page more often."""
        return int(rng.integers(0, PAGE if rng.random() < 0.2 else len(data)))

    kinds = {"bits": 0.6, "bytes": 0.15, "zero page": 0.07, "swap pages": 0.06, "copy page": 0.05, "truncate": 0.07}
    kind = rng.choice(list(kinds), p=list(kinds.values()))
    a, b = (int(page) for page in rng.integers(0, pages, 2))
    first, second = slice(a * PAGE, (a + 1) * PAGE), slice(b * PAGE, (b + 1) * PAGE)
    match kind:
        case "bits":
            places = [(place(), int(rng.integers(8))) for _ in range(int(rng.integers(1, 4)))]
            for byte, bit in places:
                data[byte] ^= 1 << bit
            kind = "bits " + ", ".join(f"{byte // PAGE}:{byte % PAGE}.{bit}" for byte, bit in places)
        case "bytes":
            start = place()
            data[start: start + 100] = rng.bytes(min(100, len(data) - start))
            kind = f"100 bytes at {start // PAGE}:{start % PAGE}"
        case "zero page":
            data[first] = bytes(PAGE)
            kind = f"page {a} zeroed"
        case "swap pages":
            data[first], data[second] = data[second], data[first]
            kind = f"pages {a} and {b} swapped"
        case "copy page":
            data[second] = data[first]
            kind = f"page {a} copied to {b}"
        case "truncate":
            del data[a * PAGE:]
            kind = f"truncated to {a} pages"
    path.write_bytes(data)
    return f"{kind} of {pages} pages"


class Patient:
    """A connection that is renewed after a crash, and whose backend is killed if it hangs."""

    def __init__(self, server):
        self.server = server
        self.connection = None

    @contextlib.contextmanager
    def session(self):
        if self.connection is None or self.connection.closed:
            self.connection = self.server.connect()
            self.connection.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT}s'")
        watchdog = threading.Timer(HANGS, os.kill, (self.connection.info.backend_pid, signal.SIGKILL))
        watchdog.start()
        try:
            yield self.connection
        finally:
            watchdog.cancel()


# What is done with a damaged index. Each returns a complaint or None; errors are raised.


def scan(connection, subject):
    connection.execute(FORCED)
    for (operator, number), full in subject.right.items():
        for limit in (5, None):
            got = answer(connection, nearest(subject.name, operator, subject.queries[number], limit))
            difference = first_difference(got, full, limit=limit)
            if difference:
                return f"{operator} query {number} limit {limit}: {difference}"
    return None


def check(connection, subject):
    if ACCESS_METHOD == "veraflat":
        connection.execute("SELECT veraflat_check(%s::regclass)", (subject.index,))


def insert(connection, subject):
    for vector in (np.ones(subject.dimensions), None):
        connection.execute(f"INSERT INTO {subject.name} SELECT coalesce(max(id), 0) + 1, {literal(vector)} FROM {subject.name}")


def vacuum(connection, subject):
    connection.execute(f"DELETE FROM {subject.name} WHERE id % 7 = 0")
    connection.execute(f"VACUUM {subject.name}")


def acceptable(error, subject):
    """Whether an error is one that damage may cause."""
    missing_block = "truncated" in subject.damage and "could not read block" in str(error)
    return error.sqlstate in CORRUPTED or missing_block


def examine(checks, patient, subject, action):
    """Does something with a damaged index: it may fail as damage makes it fail. Returns "right", "error" or "wrong"."""
    name = (f"{action.__name__} of {subject.index}, {subject.damage} ({subject.dimensions} dimensions,"
            f" {subject.operator_class})")
    try:
        with patient.session() as connection:
            problem, outcome = action(connection, subject), "right"
    except psycopg.Error as error:
        problem, outcome = None if acceptable(error, subject) else f"{error.sqlstate} {error}", "error"
    return outcome if checks.check(name, problem) else "wrong"


def one_round(checks, server, patient, subjects, rng, outcomes):
    with patient.session() as connection:
        for subject in subjects:
            subject.note(connection)
    patient.connection.close()
    server.stop()
    for subject in subjects:
        subject.damage = damage(rng, server.data / subject.path)
    server.start()
    for subject in subjects:
        scanned, checked = (examine(checks, patient, subject, action) for action in (scan, check))
        outcomes[f"scan: {scanned}, veraflat_check: {checked}"] += 1
        checks.check(f"veraflat_check of {subject.index}, {subject.damage}, whose scan failed",
                     scanned != "right" and checked == "right" and "passes")
        for action in (insert, vacuum):
            examine(checks, patient, subject, action)
        # Writing to a damaged page must not make it look sound.
        again = examine(checks, patient, subject, check)
        checks.check(f"veraflat_check of {subject.index}, {subject.damage}, after writing to it",
                     checked == "error" and again == "right" and "passes")
    with patient.session() as connection:
        for subject in subjects:
            connection.execute(f"REINDEX INDEX {subject.index}")
            checks.check(f"{subject.index} after REINDEX", check_index(connection, subject.index) or same_answers(
                connection, subject.name, subject.queries, subject.operators))


def main():
    seed, rounds = seed_from("DAMAGE_SEED"), number_from("DAMAGE_ROUNDS", 4)
    checks, outcomes = Checks(), collections.Counter()
    with Server("autovacuum = off", checksums=False) as server:
        subjects = [Subject(np.random.default_rng([seed, number]), number) for number in range(INDEXES)]
        patient = Patient(server)
        with patient.session() as connection:
            for subject in subjects:
                subject.create(connection)
        for number in range(rounds):
            one_round(checks, server, patient, subjects, np.random.default_rng([seed, INDEXES + number]), outcomes)
        checks.sound(server)
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:4} {outcome}")
    checks.finish()


if __name__ == "__main__":
    main()
