"""The vector stores of LangChain and LlamaIndex for PostgreSQL, as they are published, with a veraflat index.

Each is asked for documents by index and by a sequential scan: on the table that it makes itself, and on one made for it,
with a column of a type that it does not make. Run by run.py, in an environment that has requirements-frameworks.txt.
Prints a line for each check.
"""

import os
import traceback
import uuid

import psycopg
import sqlalchemy
from searches import DIM, INDEX, LIMIT, NEAREST, OPERATOR_CLASSES, QUERY, SEQUENTIAL, TENANT, VECTORS
from searches import kinds, report, same, tenant, unplanned

IDS = [str(uuid.UUID(int=row)) for row in range(len(VECTORS))]
RIGHT = [IDS[row] for row in NEAREST["<=>"]]

statements = []


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "before_cursor_execute")
def remember(connection, cursor, statement, parameters, context, executemany):
    statements.append((statement, parameters))


def by_index_and_without(what, search):
    """search() gives ids and scores: these are the same, and the index is used for the one and not for the other."""
    answers, problems = [], []
    for settings, by_index in ((INDEX, True), (SEQUENTIAL, False)):
        # Heeded by libpq, and so by a store that connects for each search.
        os.environ["PGOPTIONS"] = " ".join(f"-c {name}={value}" for name, value in settings.items())
        answers.append(search())
        statement, parameters = statements[-1]
        with psycopg.connect("") as connection:
            plan = "\n".join(line for (line,) in connection.execute("EXPLAIN " + statement, parameters))
        problems.append(unplanned(plan, by_index))
    del os.environ["PGOPTIONS"]
    problems.append(answers[0] != answers[1] and f"{answers[0]}\ninstead of\n{answers[1]}")
    report(f"{what}: by index and without", "\n".join(filter(None, problems)))
    return answers[0]


def execute(sql):
    with psycopg.connect("", autocommit=True) as connection:
        connection.execute(sql)


# LangChain


def test_langchain(kind):
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_postgres import Column, PGEngine, PGVectorStore

    class Numbered(Embeddings):
        """The vector of the row that a text names."""

        def embed_documents(self, texts):
            return [VECTORS[int(text.split()[1])].tolist() for text in texts]

        def embed_query(self, text):
            return QUERY.tolist()

    client, table = f"LangChain, {kind}", f"langchain_{kind}"
    engine = PGEngine.from_connection_string("postgresql+psycopg://")
    if kind == "vector":
        engine.init_vectorstore_table(table, DIM, metadata_columns=[Column("tenant", "integer")])
    else:
        execute(f"""
            CREATE TABLE {table} (
                langchain_id uuid PRIMARY KEY,
                content text NOT NULL,
                embedding {kind}({DIM}) NOT NULL,
                tenant integer,
                langchain_metadata json
            )""")
    store = PGVectorStore.create_sync(engine, Numbered(), table, metadata_columns=["tenant"])
    documents = [
        Document(f"row {row}", metadata={"tenant": tenant(row), "even": row % 2 == 0}) for row in range(len(VECTORS))
    ]
    same(f"{client}: add", store.add_documents(documents, ids=IDS), IDS)
    execute(f"CREATE INDEX ON {table} USING veraflat (embedding {OPERATOR_CLASSES[kind]}, tenant)")
    anew = PGEngine.from_connection_string("postgresql+psycopg://", poolclass=sqlalchemy.NullPool)
    unpooled = PGVectorStore.create_sync(anew, Numbered(), table, metadata_columns=["tenant"])

    def search(filter):
        found = unpooled.similarity_search_with_score("", k=LIMIT, filter=filter)
        return [(document.id, document.metadata, score) for document, score in found]

    by_index_and_without(f"{client}: search", lambda: search(None))
    for filter in ({"tenant": TENANT}, {"tenant": {"$in": [TENANT, 1000]}}):
        found = by_index_and_without(f"{client}: search, {filter}", lambda: search(filter))
        same(f"{client}: nearest, {filter}", [id for id, _, _ in found], RIGHT)
        same(f"{client}: metadata, {filter}", found[0][1], documents[IDS.index(RIGHT[0])].metadata)
    found = store.max_marginal_relevance_search("", k=4, fetch_k=LIMIT, lambda_mult=1.0, filter={"tenant": TENANT})
    same(f"{client}: maximal marginal relevance", [document.id for document in found], RIGHT[:4])
    store.delete(RIGHT[:3])
    found = by_index_and_without(f"{client}: search after delete", lambda: search({"tenant": TENANT}))
    same(f"{client}: nearest after delete", [id for id, _, _ in found[: LIMIT - 3]], RIGHT[3:])


# LlamaIndex


def test_llama_index(kind):
    from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
    from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, VectorStoreQuery
    from llama_index.vector_stores.postgres import PGVectorStore

    client, name = f"LlamaIndex, {kind}", f"llama_{kind}"
    ours = kind.startswith("vera")
    if ours:
        execute(f"""
            CREATE TABLE data_{name} (
                id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
                text varchar NOT NULL,
                metadata_ jsonb,
                node_id varchar,
                embedding {kind}({DIM})
            )""")
    store = PGVectorStore.from_params(
        connection_string="postgresql+psycopg2://",
        async_connection_string="postgresql+asyncpg://",
        table_name=name,
        embed_dim=DIM,
        use_jsonb=True,
        use_halfvec=kind.endswith("halfvec"),
        perform_setup=not ours,
        create_engine_kwargs={"poolclass": sqlalchemy.NullPool},
    )
    nodes = [
        TextNode(
            id_=IDS[row],
            text=f"row {row}",
            embedding=vector.tolist(),
            metadata={"tenant": f"tenant {tenant(row)}"},
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"document {row}")},
        )
        for row, vector in enumerate(VECTORS)
    ]
    same(f"{client}: add", store.add(nodes), IDS)
    execute(f"CREATE INDEX ON data_{name} USING veraflat (embedding {OPERATOR_CLASSES[kind]}, (metadata_ ->> 'tenant'))")
    of_tenant = MetadataFilters(filters=[MetadataFilter(key="tenant", value=f"tenant {TENANT}")])

    def search(filters):
        query = VectorStoreQuery(query_embedding=QUERY.tolist(), similarity_top_k=LIMIT, filters=filters)
        found = store.query(query)
        return [(node.node_id, node.text, score) for node, score in zip(found.nodes, found.similarities, strict=True)]

    by_index_and_without(f"{client}: search", lambda: search(None))
    found = by_index_and_without(f"{client}: search with a filter", lambda: search(of_tenant))
    same(f"{client}: nearest with a filter", [id for id, _, _ in found], RIGHT)
    store.delete_nodes(RIGHT[:2])
    store.delete(f"document {IDS.index(RIGHT[2])}")
    found = by_index_and_without(f"{client}: search after delete", lambda: search(of_tenant))
    same(f"{client}: nearest after delete", [id for id, _, _ in found[: LIMIT - 3]], RIGHT[3:])


def main():
    there = kinds()
    # LlamaIndex inserts by way of pgvector's types, whatever the column's, from which the bridge casts.
    for test in (test_langchain, test_llama_index) if "vector" in there else (test_langchain,):
        for kind in there:
            try:
                test(kind)
            except Exception:
                report(f"{test.__name__} {kind}", traceback.format_exc())


if __name__ == "__main__":
    main()
