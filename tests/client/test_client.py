"""vera_vec as a client sees it, through psycopg 3: text and binary protocol, COPY, and input that is not a vector.

Run by `make test` with the environment of a server whose database is empty. FUZZ_SEED repeats a run, FUZZ_CASES
makes it longer. Ends with a line `N passed, N failed`.
"""

import os
import random
import struct
import sys
import time
import unittest

import numpy as np
import psycopg
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format
from psycopg.types import TypeInfo


# The types, and the elements of their binary forms.
ELEMENTS = {"veravec": ">f4", "verahalfvec": ">f2"}


class Veravec(np.ndarray):
    """A numpy array that psycopg sends as a veravec."""


def veravec(values):
    return np.asarray(values, dtype=np.float32).view(Veravec)


class BinaryLoader(Loader):
    format = Format.BINARY

    def load(self, data):
        dim, unused = struct.unpack_from(">HH", data)
        assert unused == 0 and len(data) == 4 + 4 * dim
        return np.frombuffer(data, dtype=">f4", offset=4).astype(np.float32)


class TextLoader(Loader):
    format = Format.TEXT

    def load(self, data):
        return np.array(bytes(data)[1:-1].split(b","), dtype=np.float32)


def connect():
    connection = psycopg.connect("", autocommit=True)
    info = TypeInfo.fetch(connection, "veravec")
    assert info is not None, "psycopg finds the type by its name"

    class BinaryDumper(Dumper):
        format = Format.BINARY
        oid = info.oid

        def dump(self, value):
            return struct.pack(">HH", len(value), 0) + value.astype(">f4").tobytes()

    class TextDumper(Dumper):
        format = Format.TEXT
        oid = info.oid

        def dump(self, value):
            return ("[" + ",".join(repr(float(x)) for x in value) + "]").encode()

    info.register(connection)
    for dumper in (TextDumper, BinaryDumper):
        connection.adapters.register_dumper(Veravec, dumper)
    for loader in (TextLoader, BinaryLoader):
        connection.adapters.register_loader(info.oid, loader)
    return connection


def hostile_values():
    return [
        [0.0],
        [-0.0],
        [1.0, -2.5, 3.25],
        [1e-45, -1e-45, 1.17549435e-38],
        [3.4028235e38, -3.4028235e38],
        [0.1, 1 / 3, 2**0.5],
        list(np.random.default_rng(1).standard_normal(1536)),
        list(np.random.default_rng(2).standard_normal(16000)),
    ]


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with psycopg.connect("", autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vera_vec")

    def setUp(self):
        self.connection = connect()
        self.addCleanup(self.connection.close)

    def assert_same(self, got, expected):
        np.testing.assert_array_equal(got.view(np.uint32), expected.view(np.ndarray).view(np.uint32))

    def test_values_go_and_return_in_text_and_binary(self):
        for values in hostile_values():
            sent = veravec(values)
            for parameter in ("%t", "%b"):
                for binary in (False, True):
                    with self.subTest(dim=len(sent), parameter=parameter, binary=binary):
                        cursor = self.connection.cursor(binary=binary)
                        got = cursor.execute(f"SELECT {parameter}::veravec", (sent,)).fetchone()[0]
                        self.assert_same(got, sent)

    def test_arrays_of_vectors(self):
        sent = [veravec([1, 2]), veravec([3, 4])]
        got = self.connection.execute("SELECT %s::veravec[]", (sent,)).fetchone()[0]
        for got_vector, sent_vector in zip(got, sent, strict=True):
            self.assert_same(got_vector, sent_vector)

    def test_nearest_rows_as_numpy_finds_them(self):
        rng = np.random.default_rng(3)
        rows = rng.standard_normal((500, 64)).astype(np.float32)
        query = rng.standard_normal(64).astype(np.float32)
        wide, q = rows.astype(np.float64), query.astype(np.float64)
        norms = np.linalg.norm(wide, axis=1) * np.linalg.norm(q)
        expected = {
            "<->": np.linalg.norm(wide - q, axis=1),
            "<#>": -(wide @ q),
            "<=>": 1 - (wide @ q) / norms,
            "<+>": np.abs(wide - q).sum(axis=1),
        }
        self.connection.execute("CREATE TEMP TABLE items (id int, v veravec(64))")
        with self.connection.cursor().copy("COPY items FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "veravec"])
            for i, row in enumerate(rows):
                copy.write_row((i, veravec(row)))
        for operator, distances in expected.items():
            with self.subTest(operator=operator):
                statement = f"SELECT id, v {operator} %b FROM items ORDER BY v {operator} %b, id LIMIT 50"
                got = self.connection.execute(statement, (veravec(query), veravec(query))).fetchall()
                self.assertEqual([row[0] for row in got], list(np.argsort(distances, kind="stable")[:50]))
                np.testing.assert_allclose([row[1] for row in got], np.sort(distances)[:50], rtol=1e-5, atol=1e-6)

    def test_copy_in_both_forms_both_ways(self):
        self.connection.execute("CREATE TEMP TABLE copied (id int, v veravec)")
        values = [veravec(v) for v in hostile_values()]
        for fmt in ("text", "binary", "csv"):
            with self.subTest(format=fmt):
                self.connection.execute("TRUNCATE copied")
                with self.connection.cursor().copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
                    copy.set_types(["int4", "veravec"])
                    for i, value in enumerate(values):
                        copy.write_row((i, value))
                    copy.write_row((len(values), None))
                with self.connection.cursor().copy(f"COPY copied TO STDOUT (FORMAT {fmt})") as copy:
                    data = b"".join(copy)
                self.connection.execute("TRUNCATE copied")
                with self.connection.cursor().copy(f"COPY copied FROM STDIN (FORMAT {fmt})") as copy:
                    copy.write(data)
                got = self.connection.execute("SELECT v FROM copied ORDER BY id", binary=True).fetchall()
                self.assertIsNone(got.pop()[0])
                for (got_value,), value in zip(got, values, strict=True):
                    self.assert_same(got_value, value)

    def test_copy_that_goes_on_after_errors(self):
        if self.connection.info.server_version < 170000:
            self.skipTest("COPY ... ON_ERROR came with PostgreSQL 17")
        self.connection.execute("CREATE TEMP TABLE lenient (v veravec(2))")
        with self.connection.cursor().copy("COPY lenient FROM STDIN (ON_ERROR ignore)") as copy:
            copy.write("[1,2]\n[1\n[1,2,3]\n[1,NaN]\n[3,4]\n")
        got = self.connection.execute("SELECT v::text FROM lenient").fetchall()
        self.assertEqual(got, [("[1,2]",), ("[3,4]",)])

    def test_error_fields(self):
        for statement, state, message in [
            ("SELECT '[1'::veravec", "22P02", 'invalid input syntax for type veravec: "[1"'),
            ("SELECT '[1]'::veravec <-> '[1,2]'", "22000", "different veravec dimensions 1 and 2"),
            ("SELECT '[1]'::veravec(0)", "22023", "dimensions for type veravec must be at least 1"),
        ]:
            with self.subTest(statement=statement), self.assertRaises(psycopg.Error) as caught:
                self.connection.execute(statement)
            self.assertEqual(caught.exception.diag.sqlstate, state)
            self.assertEqual(caught.exception.diag.message_primary, message)
            self.assertIsNone(caught.exception.diag.message_detail)

    def test_other_server_encodings(self):
        self.connection.execute("DROP DATABASE IF EXISTS latin")
        self.connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        with psycopg.connect("dbname=latin", autocommit=True) as latin:
            latin.execute("CREATE EXTENSION vera_vec")
            with self.assertRaises(psycopg.errors.InvalidTextRepresentation) as caught:
                latin.execute("SELECT '[é]'::veravec")
            self.assertEqual(
                caught.exception.diag.message_primary, 'invalid input syntax for type veravec: "[\\xe9]"'
            )
        self.connection.execute("DROP DATABASE latin")

    def test_statement_timeout_ends_a_long_scan(self):
        self.connection.execute("SET statement_timeout = 200")
        started = time.monotonic()
        with self.assertRaises(psycopg.errors.QueryCanceled):
            self.connection.execute(
                "SELECT sum(a.v <-> b.v) FROM (SELECT array_fill(i, ARRAY[16000])::veravec v FROM generate_series(1, 300) i) a,"
                " (SELECT array_fill(i, ARRAY[16000])::veravec v FROM generate_series(1, 300) i) b,"
                " generate_series(1, 100)"
            )
        self.assertLess(time.monotonic() - started, 5)

    def test_text_input_allocates_little(self):
        literal = "[" + ",".join(["0.12345678"] * 16000) + "]"

        def peak_kib():
            status = self.connection.execute("SELECT pg_read_file('/proc/' || pg_backend_pid() || '/status')").fetchone()[0]
            return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))

        def parse():
            self.connection.execute("SELECT vector_dims(%t::text::veravec)", (literal,))

        self.connection.execute("SELECT vector_dims('[1]'::veravec)")
        before = peak_kib()
        parse()
        once = peak_kib()
        for _ in range(200):
            parse()
        # The literal has 172 KiB, of which the protocol alone makes some copies; the vector has 63 KiB.
        self.assertLess(once - before, 2 * 1024)
        self.assertLess(peak_kib() - once, 1024)

    def test_fuzzed_text_never_crashes_and_errors_name_the_type(self):
        for type_name in ELEMENTS:
            with self.subTest(type_name):
                self.fuzz_text(type_name)

    def fuzz_text(self, type_name):
        seed = int(os.environ.get("FUZZ_SEED", random.randrange(2**32)))
        cases = int(os.environ.get("FUZZ_CASES", 4000))
        print(f"FUZZ_SEED={seed} FUZZ_CASES={cases}", flush=True)
        rng = random.Random(seed)
        pieces = ["[", "]", ",", " ", "\t", "\x0b", "1", "-", "+", ".", "e", "E5", "0x", "p3", "1e39", "1e-50", "nan", "NaN",
                  "inf", "-Infinity", "0x1p-149", "[[", "]]", "1_0", "é", "\u0663", "\u00a0", "{", "}", '"', "\\", "'",
                  "99999999999999999999", "0." + "3" * 50, "1" * 400, "/", "(", ")", "\x01"]
        backend = self.connection.info.backend_pid
        accepted = refused = 0
        for _ in range(cases):
            if rng.random() < 0.3:
                text = "".join(rng.choice(pieces) for _ in range(rng.randrange(12)))
            else:  # a vector with some damage
                text = list("[" + ",".join(repr(rng.uniform(-10, 10)) for _ in range(rng.randrange(1, 8))) + "]")
                for _ in range(rng.randrange(4)):
                    at = rng.randrange(len(text) + 1)
                    if rng.random() < 0.4:
                        text[at : at + rng.randrange(3)] = []
                    else:
                        text.insert(at, rng.choice(pieces))
                text = "".join(text)
            try:
                got = self.connection.execute(f"SELECT %t::text::{type_name}::text", (text,)).fetchone()[0]
                again = self.connection.execute(f"SELECT %t::text::{type_name}::text", (got,)).fetchone()[0]
                self.assertEqual(got, again)
                accepted += 1
            except psycopg.Error as error:
                self.assertIsNotNone(error.diag.message_primary, f"{text!r}: {error}")
                self.assertIn(type_name, error.diag.message_primary, repr(text))
                self.assertIn(error.diag.sqlstate, ("22P02", "22000", "22003", "54000"), repr(text))
                refused += 1
        self.assertEqual(self.connection.info.backend_pid, backend)
        self.assertGreater(accepted, cases // 20)
        self.assertGreater(refused, cases // 20)

    def test_fuzzed_binary_never_crashes(self):
        for type_name, element in ELEMENTS.items():
            with self.subTest(type_name):
                self.fuzz_binary(type_name, np.dtype(element))

    def fuzz_binary(self, type_name, element):
        seed = int(os.environ.get("FUZZ_SEED", random.randrange(2**32)))
        print(f"FUZZ_SEED={seed}", flush=True)
        rng = random.Random(seed)
        oid = TypeInfo.fetch(self.connection, type_name).oid

        class Raw(bytes):
            pass

        class RawDumper(Dumper):
            format = Format.BINARY

            def dump(self, value):
                return bytes(value)

        RawDumper.oid = oid
        self.connection.adapters.register_dumper(Raw, RawDumper)
        accepted = refused = 0
        for _ in range(2000):
            dim = rng.choice([0, 1, 2, 3, rng.randrange(65536)])
            length = rng.choice([element.itemsize * dim, element.itemsize * dim, rng.randrange(20)]) if dim < 4 else rng.randrange(20)
            unused = rng.choice([0, 0, 0, rng.randrange(65536)])
            message = struct.pack(">HH", dim, unused) + rng.randbytes(length)
            try:
                message = Raw(message[: rng.choice([9999, 9999, 9999, 3])])
                sent = self.connection.execute(f"SELECT {type_name}_send(%b)", (message,), binary=True).fetchone()[0]
                self.assertEqual(sent, message)
                self.assertTrue(np.isfinite(np.frombuffer(sent, element, offset=4)).all())
                accepted += 1
            except psycopg.Error as error:
                self.assertIn(error.diag.sqlstate, ("22000", "54000", "08P01", "22P03"))
                refused += 1
        self.assertGreater(accepted, 100)
        self.assertGreater(refused, 100)


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(
        unittest.defaultTestLoader.loadTestsFromTestCase(ClientTest)
    )
    failed = len({str(test).split(" (")[0] for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    sys.exit(0 if result.wasSuccessful() else 1)
