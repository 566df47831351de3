"""The document store beside hand-written SQL: what vera.search adds to the time of a search, and adding documents by arrays beside COPY
into the same table. Usage: store.py RESULTS.csv, with the environment of an empty server."""

import json
import statistics
import struct
import sys
import time

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo

from common import ROWS, literal, print_table, sets_of, timed, write_csv

ROUNDS = 7
BATCH = 1000
TOPICS = [f"topic {i}" for i in range(50)]


def register_binary(connection):
    """numpy arrays as binary parameters, as pgvector's client does it for its type."""
    info = TypeInfo.fetch(connection, "veravec")
    info.register(connection)

    class Binary(Dumper):
        format, oid = Format.BINARY, info.oid

        def dump(self, vector):
            return struct.pack(">HH", len(vector), 0) + vector.astype(">f4").tobytes()

    connection.adapters.register_dumper(np.ndarray, Binary)
    return info.oid


def bench_add(connection, vectors):
    oid = register_binary(connection)
    ids = [f"doc-{i}" for i in np.random.default_rng(4).permutation(len(vectors))]
    contents = [f"document {i}: " + "some words of text " * 4 for i in range(len(vectors))]
    metadatas = [json.dumps({"topic": TOPICS[i % len(TOPICS)], "number": i}) for i in range(len(vectors))]
    texts, arrays = [literal(v) for v in vectors], list(vectors)
    columns = "bench (id, content, embedding, metadata)"

    def copy_text():
        with connection.cursor().copy(f"COPY {columns} FROM STDIN") as stream:
            for row in zip(ids, contents, texts, metadatas):
                stream.write_row(row)

    def copy_binary():
        with connection.cursor().copy(f"COPY {columns} FROM STDIN (FORMAT binary)") as stream:
            stream.set_types(["text", "text", oid, "jsonb"])
            for row in zip(ids, contents, arrays, map(json.loads, metadatas)):
                stream.write_row((*row[:3], psycopg.types.json.Jsonb(row[3])))

    def add(embeddings, placeholder, batch):
        with connection.transaction():
            for i in range(0, len(ids), batch):
                j = slice(i, i + batch)
                connection.execute(f"SELECT * FROM vera.add_documents('bench', %s, %s, {placeholder}, %s::jsonb[])",
                                   (ids[j], contents[j], embeddings[j], metadatas[j]))

    ways = {
        "COPY, text": copy_text,
        f"arrays, text, {BATCH} a call": lambda: add(texts, "%s::veravec[]", BATCH),
        "COPY, binary": copy_binary,
        f"arrays, binary, {BATCH} a call": lambda: add(arrays, "%b", BATCH),
        f"arrays, binary, {10 * BATCH} a call": lambda: add(arrays, "%b", 10 * BATCH),
    }
    seconds = {name: [] for name in ways}
    for _ in range(3):
        for name, way in ways.items():
            connection.execute("SELECT vera.delete_collection('bench', if_exists => true)")
            connection.execute("SELECT vera.create_collection('bench', %s, key_fields => ARRAY['topic'])", (vectors.shape[1],))
            connection.execute("CHECKPOINT")
            seconds[name].append(timed(way)[0])
            assert connection.execute("SELECT count(*) FROM bench").fetchone()[0] == len(vectors)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return [{"adding": name, "rows": len(vectors), "s": s,
             "of COPY in that form": s / medians["COPY, text" if "text" in name else "COPY, binary"]} for name, s in medians.items()]


def bench_search(connection, queries):
    """Both as prepared statements of one warm connection, query by query in turns; what vera.search takes longer, each time."""
    connection.execute("VACUUM ANALYZE bench")
    hand = ("SELECT id, content, metadata, created_at, embedding <=> %(q)s::veravec AS distance, 1 - (embedding <=> %(q)s::veravec) AS score FROM bench"
            " WHERE {} ORDER BY embedding <=> %(q)s::veravec LIMIT 10")
    store = "SELECT * FROM vera.search('bench', %(q)s, 10{})"
    cases = {
        "no filter": ("true", "", {}),
        "key column, 2 %": ("key_topic = %(topic)s", ", filter => %(filter)s", {"topic": TOPICS[7], "filter": json.dumps({"topic": TOPICS[7]})}),
        "GIN, one row": ("metadata @> %(filter)s", ", filter => %(filter)s", {"filter": '{"number": 17}'}),
        "GIN, 2 %": ("metadata @> %(contained)s", ", filter => %(filter)s",
                     {"contained": json.dumps({"topic": TOPICS[7]}), "filter": json.dumps({"$or": [{"topic": TOPICS[7]}]})}),
        "distance below 0.6": ("embedding <=> %(q)s::veravec <= 0.6", ", max_distance => 0.6", {}),
    }
    results = []
    for name, (condition, arguments, parameters) in cases.items():
        hands, stores, differences = [], [], []
        for round_number in range(ROUNDS + 1):
            for query in queries:
                values = {"q": literal(query), **parameters}
                by_hand, rows = timed(lambda: connection.execute(hand.format(condition), values, prepare=True).fetchall())
                by_store, same = timed(lambda: connection.execute(store.format(arguments), values, prepare=True).fetchall())
                assert [row[4] for row in rows] == [row[4] for row in same]
                if round_number > 0:
                    hands.append(by_hand), stores.append(by_store), differences.append(by_store - by_hand)
        results.append({"search": name, "by hand ms": statistics.median(hands) * 1e3, "vera.search ms": statistics.median(stores) * 1e3,
                        "added ms": statistics.median(differences) * 1e3})
    return results


def main():
    connection = psycopg.connect("", autocommit=True)
    connection.execute("CREATE EXTENSION IF NOT EXISTS vera_vec")
    results = []
    for name, vectors, queries in sets_of([384], ROWS, 100):
        print(f"\n{name}, {len(vectors):,} x {vectors.shape[1]}, {connection.execute('SHOW server_version').fetchone()[0]}, "
              f"{time.strftime('%Y-%m-%d')}; one client, medians")
        added = bench_add(connection, vectors)
        print_table("Adding documents to an empty collection with a key field", added)
        searched = bench_search(connection, queries)
        print_table("Ten nearest, warm", searched)
        results += [{"data": name, **result} for result in added + searched]
    write_csv(sys.argv[1], results)


if __name__ == "__main__":
    main()
