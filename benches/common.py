"""What the benchmarks share: data, COPY's formats, timing, results.

Data: BENCH_DATA and BENCH_QUERIES, files of one's own (several, separated by colons, the queries in the
same order): int32 rows, int32 dimensions, then float16 or, in .fbin files, float32, little endian. Without them the demonstration's
embeddings. Both are multiplied to the rows wanted by mixing (row i + 0.5 * (row j - row k)), which keeps the spectrum.
"""

import csv
import gzip
import io
import itertools
import os
import struct
import time

import numpy as np

ROWS = int(os.environ.get("BENCH_ROWS", 100_000))


def read_vectors(path):
    rows, dim = np.fromfile(path, dtype="<i4", count=2)
    kind = "<f4" if path.endswith(".fbin") else "<f2"
    return np.fromfile(path, dtype=kind, offset=8).reshape(rows, dim).astype(np.float32)


def parse(values):
    return np.array([np.array(v.strip()[1:-1].split(","), dtype=np.float32) for v in values])


def files(variable):
    return [path for path in os.environ.get(variable, "").split(":") if path]


def demo_embeddings():
    with gzip.open("demo/documents.tsv.gz", "rt") as file:
        return parse(line.rsplit("\t", 1)[1] for line in file)


def demo_queries():
    with open("demo/queries.tsv") as file:
        return parse(line.rsplit("\t", 1)[1] for line in file)


def load_embeddings():
    """The first file of one's own, or the demonstration's embeddings, and what to call them."""
    for path in files("BENCH_DATA"):
        return read_vectors(path), os.path.basename(path)
    return demo_embeddings(), "demo/documents.tsv.gz, mixed"


def multiply(base, rows):
    rng = np.random.default_rng(1)
    pick = [rng.integers(0, len(base), rows) for _ in range(3)]
    mixed = base[pick[0]] + 0.5 * (base[pick[1]] - base[pick[2]])
    mixed[: min(len(base), rows)] = base[:rows]
    return mixed.astype(np.float32)


def rotation(dim):
    return np.linalg.qr(np.random.default_rng(3).standard_normal((dim, dim)))[0].astype(np.float32)


def data_sets(rows, query_count):
    """(name, vectors, queries) of each data set; rotated at random beyond 384 dimensions, where data often come sorted by variance."""
    # Generators, because a million rows of one set are enough to have in memory.
    sets = file_sets(rows, query_count) if files("BENCH_DATA") else demo_sets(rows, query_count)
    for name, vectors, queries in sets:
        dim = vectors.shape[1]
        if dim > 384:
            turn = rotation(dim)
            vectors, queries = vectors @ turn, queries @ turn
        yield name, vectors, queries


def file_sets(rows, query_count):
    """Those of BENCH_DATA; where BENCH_QUERIES has no file for one, its last rows are kept back as queries."""
    for data, queries in itertools.zip_longest(files("BENCH_DATA"), files("BENCH_QUERIES")):
        base, name = read_vectors(data), os.path.basename(data)
        if queries:
            yield name, multiply(base, rows), read_vectors(queries)[:query_count]
        else:
            yield f"{name}, queries kept back", multiply(base[:-query_count], rows), base[-query_count:]


def demo_sets(rows, query_count):
    """The demonstration's embeddings, and four of them side by side."""
    base, name = demo_embeddings(), "demo/documents.tsv.gz, mixed"
    narrow, queries = multiply(base, rows), demo_queries()[:query_count]
    yield name, narrow, queries
    rng = np.random.default_rng(2)
    wide = np.hstack([narrow[rng.permutation(rows)] for _ in range(4)])
    yield f"{name}, four side by side", wide, np.hstack([queries[rng.permutation(len(queries))] for _ in range(4)])


def generated_set(dim, rows, query_count):
    """A set for dimensions that no file has: Gaussian, with variances that fall with a power law, as those of embeddings do, and
    a mean that is not zero. The queries come from the same distribution, and are near no row."""
    rng = np.random.default_rng(dim)
    scale = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    mean = rng.standard_normal(dim, dtype=np.float32) * scale * 0.5
    vectors = rng.standard_normal((rows + query_count, dim), dtype=np.float32)
    vectors *= scale
    vectors += mean
    vectors = vectors @ rotation(dim)
    return "GENERATED, power-law spectrum", vectors[query_count:], vectors[:query_count]


def sets_of(dimensions, rows, query_count):
    """The data sets of these dimensions: those there are, then generated ones."""
    seen = set()
    for name, vectors, queries in data_sets(rows, query_count):
        seen.add(vectors.shape[1])
        if vectors.shape[1] in dimensions:
            yield name, vectors, queries
    for dim in dimensions:
        if dim not in seen:
            yield generated_set(dim, rows, query_count)


def perturbed(vectors, count):
    """Easy queries: rows of the table, moved by a tenth of their length."""
    rng = np.random.default_rng(5)
    rows = vectors[rng.choice(len(vectors), min(count, len(vectors)), replace=False)]
    noise = rng.standard_normal(rows.shape, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
    return rows + 0.1 * lengths * noise


def binary(vectors, first_id=0, integers=()):
    """COPY's binary form of (int4, vector), and of columns of integers that come after them."""
    rows, dim = vectors.shape
    more = [field for i in range(len(integers)) for field in ((f"length{i}", ">i4"), (f"integer{i}", ">i4"))]
    record = np.zeros(rows, dtype=[("fields", ">i2"), ("l1", ">i4"), ("id", ">i4"), ("l2", ">i4"), ("dim", ">u2"),
                                   ("unused", ">u2"), ("x", ">f4", (dim,)), *more])
    record["fields"], record["l1"], record["l2"], record["dim"] = 2 + len(integers), 4, 4 + 4 * dim, dim
    for i, column in enumerate(integers):
        record[f"length{i}"], record[f"integer{i}"] = 4, column
    record["id"] = np.arange(first_id, first_id + rows)
    record["x"] = vectors
    return b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0) + record.tobytes() + struct.pack(">h", -1)


def text(vectors, brackets):
    out = io.StringIO()
    for i, row in enumerate(vectors):
        out.write(f"{i}\t{brackets[0]}{','.join(map(repr, row.tolist()))}{brackets[1]}\n")
    return out.getvalue().encode()


def literal(vector):
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def timed(run):
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


def copy(connection, table, columns, data, options=""):
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table} ({columns})")
    return copy_into(connection, table, data, options)


def copy_into(connection, target, data, options=""):
    started = time.perf_counter()
    with connection.cursor().copy(f"COPY {target} FROM STDIN {options}") as stream:
        stream.write(data)
    return time.perf_counter() - started


def wal_position(connection):
    return int(connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()[0])


def quantile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def write_csv(path, results):
    """Results may have different fields; the columns are all of them, in the order in which they first come."""
    fields = list(dict.fromkeys(field for result in results for field in result))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(results)


def print_table(title, results):
    """Dictionaries as a table: numbers to the right, words to the left, as wide as need be."""
    def shown(cell):
        if isinstance(cell, float):
            return f"{cell:.4g}" if abs(cell) < 1000 else f"{cell:,.0f}"
        return "" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)

    fields = list(dict.fromkeys(field for result in results for field in result))
    columns = [[field] + [shown(result.get(field)) for result in results] for field in fields]
    numeric = [any(isinstance(result.get(field), (int, float)) for result in results) for field in fields]
    widths = [max(map(len, column)) for column in columns]
    print(f"\n{title}")
    for line in zip(*columns):
        print("  " + "  ".join(c.rjust(w) if right else c.ljust(w) for c, w, right in zip(line, widths, numeric)).rstrip(), flush=True)
