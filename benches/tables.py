"""The tables and indexes of the race: how long they take to make, and how large they are.

`ours` has a veravec and an index veraflat, `theirs` pgvector's type with its default storage and an index hnsw with its
default parameters, `plain` the same without TOAST. All have the integer column `part`, 0 to 999, for filters.
"""

from common import binary, copy_into, timed
from contenders import PGVECTOR_DIMENSIONS

COPY_ROWS = 50_000
COLUMNS = "id int, part int GENERATED ALWAYS AS ((id::bigint * 7919 % 1000)::int) STORED, embedding "


def in_part(ids):
    """What COLUMNS generates, for numpy."""
    return ids.astype("int64") * 7919 % 1000


def load(connection, table, type_name, vectors, plain=False):
    """Seconds of the COPYs, which come in pieces so that a client with little memory can send a million rows."""
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table} ({COLUMNS} {type_name}({vectors.shape[1]}))")
    if plain:
        connection.execute(f"ALTER TABLE {table} ALTER embedding SET STORAGE PLAIN")
    seconds = 0.0
    for first in range(0, len(vectors), COPY_ROWS):
        message = binary(vectors[first:first + COPY_ROWS], first)
        seconds += copy_into(connection, f"{table} (id, embedding)", message, "(FORMAT binary)")
    connection.execute(f"VACUUM ANALYZE {table}")
    return seconds


def build(connection, vectors, have_pgvector):
    """Loads the tables and builds the indexes; results of time and size."""
    dim, floats = vectors.shape[1], vectors.nbytes
    # What an HNSW build wants: its graph in memory.
    memory = max(1024, int(floats * 1.5) >> 20)
    copied = load(connection, "ours", "veravec", vectors)
    results = [{"what": "COPY, veravec", "seconds": copied, "of COPY": 1.0}]

    def index(what, statement):
        connection.execute("CHECKPOINT")
        seconds, _ = timed(lambda: connection.execute(statement))
        results.append({"what": what, "seconds": seconds, "of COPY": seconds / copied})

    index("CREATE INDEX, veraflat", "CREATE INDEX ours_index ON ours USING veraflat (embedding)")
    names = {"ours": "table, veravec", "ours_index": "index, veraflat"}
    if have_pgvector:
        seconds = load(connection, "theirs", "vector", vectors)
        results.append({"what": "COPY, pgvector", "seconds": seconds, "of COPY": seconds / copied})
        names["theirs"] = "table, pgvector"
    if have_pgvector and dim <= PGVECTOR_DIMENSIONS:
        seconds = load(connection, "plain", "vector", vectors, plain=True)
        results.append({"what": "COPY, pgvector PLAIN", "seconds": seconds, "of COPY": seconds / copied})
        connection.execute(f"SET maintenance_work_mem = '{memory}MB'")
        index("CREATE INDEX, pgvector HNSW", "CREATE INDEX theirs_hnsw ON theirs USING hnsw (embedding vector_cosine_ops)")
        connection.execute("RESET maintenance_work_mem")
        names |= {"plain": "table, pgvector PLAIN", "theirs_hnsw": "index, pgvector HNSW"}
    for relation, what in names.items():
        size = connection.execute("SELECT pg_table_size(%s::regclass)", (relation,)).fetchone()[0]
        results.append({"what": what, "MiB": size / 2**20, "of float32": size / floats})
    return results
