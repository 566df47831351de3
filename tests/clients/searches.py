"""What the tests of Python clients share: rows, what is to be found, and the question whether the index found it."""

import numpy as np
import psycopg

DIM = 16
ROWS = 500
TENANT = 3
LIMIT = 10

# All are numbers of half precision as well, so that every column holds the same vectors.
_rng = np.random.default_rng(1)
VECTORS = _rng.standard_normal((ROWS, DIM)).astype(np.float16).astype(np.float32)
QUERY = _rng.standard_normal(DIM).astype(np.float16).astype(np.float32)

OPERATOR_CLASSES = {
    "vector": "vector_cosine_ops",
    "halfvec": "halfvec_cosine_ops",
    "veravec": "veravec_ops",
    "verahalfvec": "verahalfvec_ops",
}

# What the planner may do: only an index, or only a sequential scan and a sort.
INDEX = {"enable_seqscan": "off", "enable_sort": "off", "enable_bitmapscan": "off", "enable_indexscan": "on"}
SEQUENTIAL = {"enable_seqscan": "on", "enable_sort": "on", "enable_bitmapscan": "off", "enable_indexscan": "off"}


def tenant(row):
    return row % 5


def _distances():
    wide, query = VECTORS.astype(np.float64), QUERY.astype(np.float64)
    return {
        "<->": np.linalg.norm(wide - query, axis=1),
        "<#>": -(wide @ query),
        "<=>": 1 - (wide @ query) / (np.linalg.norm(wide, axis=1) * np.linalg.norm(query)),
        "<+>": np.abs(wide - query).sum(axis=1),
    }


# For each operator, the nearest rows of TENANT as numpy finds them.
NEAREST = {
    operator: [int(row) for row in np.argsort(distances) if tenant(row) == TENANT][:LIMIT]
    for operator, distances in _distances().items()
}


def kinds():
    """The types of vector that the database has."""
    with psycopg.connect("") as connection:
        there = connection.execute("SELECT typname FROM pg_type WHERE typname = ANY(%s)", (list(OPERATOR_CLASSES),))
        return [name for (name,) in there.fetchall()]


def report(what, problem):
    """One line for a check that passed, which is if `problem` is None, False or empty; more for one that failed."""
    if problem:
        print(f"FAILED: {what}\n    " + str(problem)[:4000].replace("\n", "\n    "), flush=True)
    else:
        print(f"ok: {what}", flush=True)


def same(what, got, right):
    report(what, got != right and f"{got}\ninstead of\n{right}")


def same_vectors(what, got):
    """`got` are the VECTORS, as lists."""
    report(what, not np.array_equal(np.array(got, np.float32), VECTORS) and "they differ")


def setting(settings):
    """SQL that sets them."""
    return "; ".join(f"SET {name} = {value}" for name, value in settings.items())


def index_sql(table, kind):
    """SQL for a table's indexes: one with a key column for three operators, and one for taxicab distance."""
    return (
        f"CREATE INDEX ON {table} USING veraflat (embedding {OPERATOR_CLASSES[kind]}, tenant);"
        f" CREATE INDEX ON {table} USING veraflat (embedding {kind}_l1_ops)"
    )


def unplanned(plan, by_index):
    """The plan, if it is not that of a scan of a veraflat index in its order, or else of the table."""
    right = "Index Scan using" in plan and "Order By" in plan if by_index else "Seq Scan" in plan
    return None if right else plan


def check_searches(client, execute, explain, search):
    """The rows nearest to QUERY among those of TENANT, for each operator: as numpy finds them, by index and without.

    execute(sql) runs a statement in the client's session; search(operator) gives ids in order, and explain(operator) the
    plan of that search.
    """
    for operator, right in NEAREST.items():
        problems = []
        for settings, by_index in ((INDEX, True), (SEQUENTIAL, False)):
            execute(setting(settings))
            problems.append(unplanned(explain(operator), by_index))
            got = search(operator)
            problems.append(got != right and f"{got}\ninstead of\n{right}")
        report(f"{client}: {operator} by index and without", "\n".join(filter(None, problems)))


def check_sql_searches(client, execute, column, table, query):
    """The same for a client that is given SQL: column(sql) gives the first column of rows; `query` is the parameter."""

    def nearest(operator):
        return f"SELECT id FROM {table} WHERE tenant = {TENANT} ORDER BY embedding {operator} {query} LIMIT {LIMIT}"

    check_searches(
        client,
        execute,
        lambda operator: "\n".join(column("EXPLAIN " + nearest(operator))),
        lambda operator: column(nearest(operator)),
    )
