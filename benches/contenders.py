"""Those who race in peers.py: what each is called, how it is asked, whether its answers are exact.

Each has open(), which also a forked client calls, so that every client has a connection of its own; prepare(query), which is
not timed; search(prepared, k), which is; and close(). All search by cosine distance. In-process contenders get
normalised vectors, which is less work than ours: the inner product of those orders like the cosine distance.
"""

import numpy as np
import psycopg

from common import literal

try:
    import faiss
except ImportError:
    faiss = None
try:
    import usearch
    import usearch.index
except ImportError:
    usearch = None

# HNSW and rows that may not go out of line have limits: 2,000 dimensions of an index, and a page.
PGVECTOR_DIMENSIONS = 2000
EF_SEARCH = (40, 100, 200, 400)

SCAN = "SET enable_indexscan = off; SET max_parallel_workers_per_gather = "
INDEX = "SET enable_seqscan = off"


class Sql:
    def __init__(self, name, table, settings="", exact=True, where="", plan=""):
        self.name, self.table, self.settings, self.exact, self.where, self.plan = name, table, settings, exact, where, plan
        self.type = "veravec" if table == "ours" else "vector"
        # Computes every distance, so it takes as long for any query and k.
        self.scans = plan == "Seq Scan"

    def open(self):
        self.connection = psycopg.connect("", autocommit=True)
        # One plan for all queries, as a service with prepared statements has; and small heaps, whose vectors are in TOAST, in parallel too.
        self.connection.execute("SET plan_cache_mode = force_generic_plan; SET min_parallel_table_scan_size = 0; " + self.settings)
        self.reads = self.explain()
        if self.plan not in self.reads:
            raise SystemExit(f"{self.name}: not the plan that it is to measure: {self.reads}")

    def close(self):
        self.connection.close()

    def prepare(self, query):
        return (literal(query),)

    def statement(self, k):
        return f"SELECT id FROM {self.table} {self.where} ORDER BY embedding <=> %s::{self.type} LIMIT {k}"

    def search(self, parameters, k):
        return [row[0] for row in self.connection.execute(self.statement(k), parameters, prepare=True)]

    def explain(self):
        """The plan's nodes that read the table."""
        some = self.prepare(np.ones(self.dimensions(), dtype=np.float32))
        lines = self.connection.execute("EXPLAIN (COSTS off) " + self.statement(10), some).fetchall()
        nodes = [line.strip(" ->").split(" on ")[0] for (line,) in lines if " on " in line or "Index Scan" in line]
        return ", ".join(nodes).replace("using ", "")

    def dimensions(self):
        return self.connection.execute("SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'embedding'",
                                       (self.table,)).fetchone()[0]


class InProcess:
    """Arrays in this process, and a function of them; nothing to open."""

    exact, where, scans = True, "", True

    def __init__(self, name, search):
        self.name, self.search = name, search

    def open(self):
        pass

    close = open

    def prepare(self, query):
        return query / np.linalg.norm(query)


def ours():
    return [Sql("vera_vec index", "ours", INDEX, plan="ours_index"),
            Sql("vera_vec scan", "ours", SCAN + "0", plan="Seq Scan"),
            Sql("vera_vec scan, parallel", "ours", SCAN + "2", plan="Seq Scan")]


def pgvector(dim):
    exact = [Sql("pgvector scan", "theirs", SCAN + "0", plan="Seq Scan"),
             Sql("pgvector scan, parallel", "theirs", SCAN + "2", plan="Seq Scan")]
    if dim > PGVECTOR_DIMENSIONS:
        return exact
    return [*exact,
            Sql("pgvector PLAIN scan", "plain", SCAN + "0", plan="Seq Scan"),
            Sql("pgvector PLAIN scan, parallel", "plain", SCAN + "2", plan="Seq Scan"),
            *(Sql(f"pgvector HNSW ef={ef}", "theirs", f"{INDEX}; SET hnsw.ef_search = {ef}", exact=False, plan="theirs_hnsw")
              for ef in EF_SEARCH)]


def in_process(vectors):
    normalised = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def numpy_search(query, k):
        similar = normalised @ query
        if k < len(similar):
            best = np.argpartition(-similar, k)[:k]
        else:
            best = np.arange(len(similar))
        return best[np.argsort(-similar[best], kind="stable")].tolist()

    found = [InProcess("numpy", numpy_search)]
    if faiss:
        faiss.omp_set_num_threads(1)
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(normalised)
        found.append(InProcess("faiss flat", lambda query, k: flat.search(query[None], k)[1][0].tolist()))
    if usearch:
        metric = usearch.index.MetricKind.IP
        found.append(InProcess("usearch exact", lambda query, k: usearch.index.search(
            normalised, query, k, metric, exact=True, threads=1).keys.tolist()))
    return found


def missing(have_pgvector):
    """Names of what could race and is not installed."""
    return [name for name, there in (("pgvector", have_pgvector), ("faiss", faiss), ("usearch", usearch)) if not there]


def versions():
    return {"numpy": np.__version__, "faiss": faiss and faiss.__version__, "usearch": usearch and usearch.__version__}
