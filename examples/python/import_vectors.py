"""Brings documents with their embeddings into a collection, and out of it.

    import_vectors.py import NAME FILE           a file of the kinds below, by the end of its name
    import_vectors.py import NAME DIRECTORY      a directory of Chroma's PersistentClient
    import_vectors.py export NAME FILE.jsonl     what `import` reads back: the documents, not metric and key fields

.jsonl, .parquet   documents: id, content, embedding, metadata, created_at, of which only id is required; other fields go
                   into the metadata. In Parquet, metadata may be JSON as text.
.npy               an array of (rows, dimensions)
.fbin, .f16bin     int32 rows, int32 dimensions, then float32 or float16 row by row; all little-endian
                   For these three, NAME.jsonl beside NAME.npy has the rest, a line for each row; without it, the ids are
                   the numbers of the rows, from 0.

All of a file is imported or nothing; documents whose ids are there already are replaced. The collection is made if there
is none. No more than a batch is in memory. The connection is that of the usual environment variables: PGHOST and so on.
"""

import argparse
import json
import os
import re
import struct
import sys
from datetime import date, datetime, time, timezone
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import psycopg
from psycopg import sql
from psycopg.types import TypeInfo
from psycopg.types.json import set_json_dumps

BATCH = 1000
FIELDS = ("id", "content", "embedding", "metadata", "created_at")
MAX_DIMENSIONS = 16000


class InputError(Exception):
    """Something is wrong with what is to be imported; the message says where."""


# JSON, of which PostgreSQL keeps every digit.


class Number(float):
    """A number of JSON's that knows how it was written."""

    def __new__(cls, text):
        number = super().__new__(cls, text)
        number.text = text
        return number


def integer(text):
    # Vectors have minus zero, and Python's integers have not.
    return int(text) if text != "-0" and len(text) < 400 else Number(text)


def from_json(text):
    return json.loads(text, parse_int=integer, parse_float=Number)


def to_json(value):
    match value:
        case Number():
            return value.text
        case dict():
            return "{" + ", ".join(f"{json.dumps(str(name))}: {to_json(item)}" for name, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(to_json, value)) + "]"
        # Parquet has values that JSON has not.
        case Decimal():
            return str(value)
        case date() | time():
            return json.dumps(value.isoformat())
        case bytes():
            raise ValueError(f"{value!r} is not text, and JSON has nothing else for it")
        case str() | int() | float() | None:
            return json.dumps(value)
    return json.dumps(str(value))


# Readers: each yields the documents of a source, as dictionaries.


def read_jsonl(path):
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                fields = from_json(line.decode().rstrip())
            except json.JSONDecodeError as error:
                raise InputError(f"{path}, line {number}: {error.msg} at column {error.colno}") from None
            except (UnicodeDecodeError, RecursionError) as error:
                raise InputError(f"{path}, line {number}: {error}") from None
            if not isinstance(fields, dict):
                raise InputError(f"{path}, line {number}: not an object")
            yield fields


def read_parquet(path):
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        # PostgreSQL's times have microseconds.
        schema = pyarrow.schema([
            field.with_type(pyarrow.timestamp("us", field.type.tz))
            if pyarrow.types.is_timestamp(field.type) and field.type.unit == "ns" else field for field in file.schema_arrow])
        for batch in file.iter_batches(BATCH):
            table = pyarrow.Table.from_batches([batch]).cast(schema, safe=False)
            yield from table.to_pylist(maps_as_pydicts="strict")
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: {error}") from None


def read_npy(path):
    try:
        array = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: several arrays, not one")
    return beside(path, array)


def read_bin(path, element):
    with open(path, "rb") as file:
        header = file.read(8)
    rows, dimensions = struct.unpack("<ii", header) if len(header) == 8 else (0, 0)
    size, expected = path.stat().st_size, 8 + rows * dimensions * np.dtype(element).itemsize
    if rows < 1 or dimensions < 1 or size != expected:
        raise InputError(f"{path}: {size} bytes, where a header of {rows} rows and {dimensions} dimensions wants {expected}")
    return beside(path, np.memmap(path, element, "r", offset=8, shape=(rows, dimensions)))


def beside(path, vectors):
    """Vectors with the documents in the .jsonl beside them."""
    if vectors.ndim != 2:
        raise InputError(f"{path}: an array of shape {vectors.shape}, not of rows and dimensions")
    others = path.with_suffix(".jsonl")
    documents = read_jsonl(others) if others.exists() else ({"id": str(row)} for row in range(len(vectors)))
    count = 0
    for count, fields in enumerate(documents, 1):
        if count <= len(vectors):
            yield fields | {"embedding": vectors[count - 1]}
    if count != len(vectors):
        raise InputError(f"{others}: {count} lines, but there are {len(vectors)} rows in {path}")


def open_chroma(path, name):
    """A collection of Chroma's: its documents and its metric."""
    if not (path / "chroma.sqlite3").exists():
        raise InputError(f"{path}: not a directory of Chroma, there is no chroma.sqlite3 in it")
    try:
        import chromadb
    except ImportError:
        raise InputError("Chroma's package is not installed: pip install -r requirements-chroma.txt") from None
    try:
        collection = chromadb.PersistentClient(path, chromadb.Settings(anonymized_telemetry=False)).get_collection(
            name, embedding_function=None)
    except chromadb.errors.ChromaError as error:
        raise InputError(f"{path}: {error}") from None
    return read_chroma(collection), collection.configuration_json["hnsw"]["space"]


def read_chroma(collection):
    for skip in range(0, collection.count(), BATCH):
        got = collection.get(limit=BATCH, offset=skip, include=["documents", "embeddings", "metadatas"])
        for id, content, embedding, metadata in zip(got["ids"], got["documents"], got["embeddings"], got["metadatas"]):
            yield {"id": id, "content": content, "embedding": embedding, "metadata": metadata}


READERS = {
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
    ".npy": read_npy,
    ".fbin": partial(read_bin, element="<f4"),
    ".f16bin": partial(read_bin, element="<f2"),
}


# Checks, which raise ValueError.


def as_id(value):
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value == "":
        raise ValueError(f"id must be text or an integer, not {value!r}")
    return str(value)


def as_content(value):
    if not isinstance(value, (str, type(None))):
        raise ValueError(f"content must be text, not {value!r}")
    return value


def as_embedding(value):
    if value is None:
        return None
    vector = np.asarray(value)
    if vector.ndim != 1 or vector.dtype.kind not in "fiu":
        raise ValueError("embedding is not an array of numbers")
    if len(vector) > MAX_DIMENSIONS:
        raise ValueError(f"embedding has {len(vector)} dimensions, and may have {MAX_DIMENSIONS}")
    with np.errstate(over="ignore"):
        vector = vector.astype(">f4")  # as it is sent
    if not np.isfinite(vector).all():
        raise ValueError("embedding has an element that is not finite, or too large for single precision")
    return vector


def as_metadata(value):
    metadata = from_json(value) if isinstance(value, str) else value
    if not isinstance(metadata, (dict, type(None))):
        raise ValueError("metadata is not an object")
    return metadata or {}


def as_time(value):
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if not isinstance(moment, (datetime, type(None))):
        raise ValueError(f"created_at must be a time, not {value!r}")
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def as_row(fields):
    others = {name: value for name, value in fields.items() if name not in FIELDS}
    return (as_id(fields.get("id")), as_content(fields.get("content")), as_embedding(fields.get("embedding")),
            others | as_metadata(fields.get("metadata")), as_time(fields.get("created_at")))


def vector_dumper(oid):
    """Sends an array of big-endian float32 as veravec: the number of dimensions, a zero, and the elements."""

    class VectorDumper(psycopg.adapt.Dumper):
        format = psycopg.pq.Format.BINARY

        def dump(self, vector):
            return struct.pack(">HH", len(vector), 0) + vector.tobytes()

    VectorDumper.oid = oid
    return VectorDumper


def import_(connection, args):
    args.unit = "line" if args.source.suffix == ".jsonl" else "row"
    documents, metric = source(args)
    dimension, known = connection.execute(
        "SELECT min(dimension), min(metric) FROM vera.collections WHERE name = %s", (args.collection,)).fetchone()
    if known and args.metric not in (None, known):
        raise InputError(f"collection {args.collection!r} is there, and has metric {known}, not {args.metric}")
    # Other sessions see nothing of this before it is done, and the collection is as it was if it cannot be.
    connection.execute(
        "CREATE TEMPORARY TABLE staging (place bigint, id text, content text, embedding veravec, metadata jsonb,"
        " created_at timestamptz) ON COMMIT DROP")
    dimension = stage(connection, args, documents, dimension)
    twice = connection.execute(
        "SELECT id, min(place), max(place) FROM staging GROUP BY id HAVING count(*) > 1 ORDER BY 3 LIMIT 1").fetchone()
    if twice:
        raise InputError(f"{args.source}, {args.unit} {twice[2]}: id {twice[0]!r} is that of {args.unit} {twice[1]} as well")
    if not known:
        connection.execute("SELECT vera.create_collection(%s, %s, %s)", (args.collection, dimension, metric or "cosine"))
    relation = table(connection, args.collection)
    added, replaced = connection.execute(sql.SQL(
        "WITH done AS (INSERT INTO {} (id, content, embedding, metadata, created_at)"
        " SELECT id, content, embedding, metadata, coalesce(created_at, now()) FROM staging ORDER BY id"
        " ON CONFLICT (id) DO UPDATE SET content = excluded.content, embedding = excluded.embedding,"
        " metadata = excluded.metadata, created_at = excluded.created_at"
        # A row that was inserted has never been locked.
        " RETURNING xmax = 0 AS new) SELECT count(*) FILTER (WHERE new), count(*) FILTER (WHERE NOT new) FROM done"
    ).format(relation)).fetchone()
    if not known:
        # The index was made when there were no vectors to make it from.
        connection.execute(sql.SQL("REINDEX TABLE {0}; ANALYZE {0}").format(relation))
    print(f"{added} added, {replaced} replaced")


def source(args):
    """The documents to be imported, and their metric."""
    if args.source.is_dir():
        return open_chroma(args.source, args.chroma_collection or args.collection)
    if args.source.suffix not in READERS:
        raise InputError(f"{args.source}: neither a directory nor {', '.join(READERS)}")
    return READERS[args.source.suffix](args.source), args.metric


def stage(connection, args, documents, dimension):
    """Copies documents into the table `staging`; their dimension."""
    vector = TypeInfo.fetch(connection, "veravec")
    connection.adapters.register_dumper(np.ndarray, vector_dumper(vector.oid))
    set_json_dumps(to_json, connection)
    with connection.cursor().copy("COPY staging FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int8", "text", "text", vector.oid, "jsonb", "timestamptz"])
        for number, fields in enumerate(documents, 1):
            try:
                row = as_row(fields)
                if row[2] is not None:
                    dimension = dimension or len(row[2])
                    if len(row[2]) != dimension:
                        raise ValueError(f"expected {dimension} dimensions, not {len(row[2])}")
                copy.write_row((number, *row))
            except (ValueError, RecursionError) as error:
                raise InputError(f"{args.source}, {args.unit} {number}: {error}") from None
    if not dimension:
        raise InputError(f"{args.source}: no embeddings in it")
    return dimension


def table(connection, collection):
    """The table of a collection, as it is written in SQL."""
    return sql.SQL(connection.execute("SELECT relation::text FROM vera.collection_info(%s)", (collection,)).fetchone()[0])


def export(connection, args):
    connection.execute("SET LOCAL timezone TO 'UTC'")
    # Binary, because COPY's text form has escapes of its own.
    lines = sql.SQL(
        "COPY (SELECT json_build_object('id', id, 'content', content, 'embedding', embedding::text::json,"
        " 'metadata', metadata, 'created_at', created_at)::text FROM {} ORDER BY id) TO STDOUT (FORMAT binary)"
    ).format(table(connection, args.collection))
    count = 0
    # What there is, stays until all is written; what is no file, as /dev/stdout, is written at once.
    part = args.file if args.file.exists() and not args.file.is_file() else args.file.with_name(args.file.name + ".part")
    try:
        with open(part, "w", encoding="utf-8") as file, connection.cursor().copy(lines) as copy:
            copy.set_types(["text"])
            for count, (line,) in enumerate(copy.rows(), 1):
                file.write(line + "\n")
        if part != args.file:
            os.replace(part, args.file)
    except BaseException:
        if part != args.file:
            part.unlink(missing_ok=True)
        raise
    print(f"{count} documents", file=sys.stderr if part == args.file else sys.stdout)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("import", help="bring documents into a collection")
    one.set_defaults(function=import_)
    one.add_argument("collection")
    one.add_argument("source", type=Path, help="file, or directory of Chroma")
    one.add_argument("--metric", choices=["cosine", "l2", "ip", "l1"],
                     help="of a collection that is made (cosine; from Chroma, its own)")
    one.add_argument("--chroma-collection", metavar="NAME", help="its name in Chroma, if that is another")
    one = commands.add_parser("export", help="write a collection as JSON Lines")
    one.set_defaults(function=export)
    one.add_argument("collection")
    one.add_argument("file", type=Path)
    return parser.parse_args()


def main():
    args = arguments()
    try:
        with psycopg.connect(client_encoding="utf8") as connection:
            args.function(connection, args)
    except (InputError, OSError) as error:
        sys.exit(f"error: {error}")
    except psycopg.Error as error:
        # What only PostgreSQL can know to be wrong, it names by its number in the COPY, which is ours.
        place = re.search(r"COPY staging, line (\d+)", error.diag.context or "")
        where = f"{args.source}, {args.unit} {place[1]}: " if place else ""
        sys.exit(f"error: {where}{error.diag.message_primary or error}")


if __name__ == "__main__":
    main()
