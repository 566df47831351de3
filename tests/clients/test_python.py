"""pgvector's Python package, as it is published, on its own types with a veraflat index and on vera_vec's types.

Run by run.py, in an environment that has requirements.txt. Prints a line for each check.
"""

import asyncio
import os
import traceback

import psycopg
from searches import DIM, INDEX, LIMIT, NEAREST, OPERATOR_CLASSES, QUERY, TENANT, VECTORS
from searches import check_searches, check_sql_searches, index_sql, kinds, report, same, same_vectors, setting, tenant


# psycopg 3


def psycopg_connection(kind):
    """A connection that knows this type, as a user would set it up."""
    connection = psycopg.connect("", autocommit=True)
    if kind in ("vector", "halfvec"):
        from pgvector.psycopg import register_vector

        register_vector(connection)
    else:
        from pgvector.psycopg.halfvec import register_halfvec_info
        from pgvector.psycopg.vector import register_vector_info
        from psycopg.types import TypeInfo

        register_vector_info(connection, TypeInfo.fetch(connection, "veravec"))
        register_halfvec_info(connection, TypeInfo.fetch(connection, "verahalfvec"))
    return connection


def test_psycopg(kind):
    from pgvector import HalfVector, Vector

    client, table = f"psycopg, {kind}", f"psycopg_{kind}"
    half = kind.endswith("halfvec")
    value = HalfVector if half else Vector
    with psycopg_connection(kind) as connection:
        connection.execute(f"CREATE TABLE {table} (id integer, tenant integer, embedding {kind}({DIM}))")
        with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "int4", kind])
            for row, vector in enumerate(VECTORS):
                copy.write_row((row, tenant(row), HalfVector(vector) if half else vector))
        for binary in (False, True):
            rows = connection.execute(f"SELECT embedding FROM {table} ORDER BY id", binary=binary).fetchall()
            form = "binary" if binary else "text"
            same_vectors(f"{client}: values of a binary COPY, {form}", [vector.to_list() for (vector,) in rows])
        for parameter in ("%t", "%b"):
            got = connection.execute(f"SELECT {parameter}::{kind}", (value(QUERY),)).fetchone()[0]
            same(f"{client}: a parameter, {parameter}", got, value(QUERY))
        vectors = [value(VECTORS[0]), value(VECTORS[1])]
        same(f"{client}: an array", connection.execute(f"SELECT %s::{kind}[]", (vectors,)).fetchone()[0], vectors)
        connection.execute(index_sql(table, kind))
        # A numpy array as a query vector does for halves too: it is sent as the type of single precision.
        for parameter, query in (("%t", value(QUERY)), ("%b", value(QUERY)), ("%b", QUERY)):
            check_sql_searches(
                f"{client}, {parameter} of {type(query).__name__}",
                connection.execute,
                lambda sql: [first for (first,) in connection.execute(sql, (query,))],
                table,
                parameter,
            )


def test_psycopg_with_both():
    """Vectors and arrays are sent as the type that was registered last; a cast makes them the other."""
    with psycopg_connection("vector") as connection:
        from pgvector.psycopg.vector import register_vector_info
        from psycopg.types import TypeInfo

        register_vector_info(connection, TypeInfo.fetch(connection, "veravec"))
        for kind, query in (("veravec", "%s"), ("vector", "%s::vector")):
            check_sql_searches(
                f"psycopg, both types, {query} for {kind}",
                connection.execute,
                lambda sql: [first for (first,) in connection.execute(sql, (QUERY,))],
                f"psycopg_{kind}",
                query,
            )


def test_beside_hnsw():
    """pgvector's index on the column, and veraflat on the column as veravec: the query says which it wants."""
    with psycopg_connection("vector") as connection:
        connection.execute(f"""
            CREATE TABLE beside AS SELECT * FROM psycopg_vector;
            CREATE INDEX approximate ON beside USING hnsw (embedding vector_cosine_ops);
            CREATE INDEX exact ON beside USING veraflat ((embedding::veravec({DIM})), tenant)""")
        connection.execute(setting(INDEX))
        for distance, index in (
            ("embedding <=> %s", "approximate"),
            (f"embedding::veravec({DIM}) <=> %s::veravec", "exact"),
        ):
            sql = f"SELECT id FROM beside WHERE tenant = {TENANT} ORDER BY {distance} LIMIT {LIMIT}"
            plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {sql}", (QUERY,)))
            report(f"beside HNSW: {distance} is served by the {index} index", f" using {index} " not in plan and plan)
        got = [first for (first,) in connection.execute(sql, (QUERY,))]
        same("beside HNSW: the exact answer", got, NEAREST["<=>"])


# asyncpg


async def asyncpg_connection(kind):
    import asyncpg

    connection = await asyncpg.connect()
    if kind in ("vector", "halfvec"):
        from pgvector.asyncpg import register_vector

        await register_vector(connection)
    else:
        from pgvector import HalfVector, Vector

        for name, cls in (("veravec", Vector), ("verahalfvec", HalfVector)):
            await connection.set_type_codec(
                name, schema="public", format="binary", encoder=cls.to_binary, decoder=cls.from_binary
            )
    return connection


def test_asyncpg(kind):
    from pgvector import HalfVector, Vector

    client, table = f"asyncpg, {kind}", f"asyncpg_{kind}"
    value = HalfVector if kind.endswith("halfvec") else Vector
    run = asyncio.new_event_loop().run_until_complete
    connection = run(asyncpg_connection(kind))
    run(connection.execute(f"CREATE TABLE {table} (id integer, tenant integer, embedding {kind}({DIM}))"))
    records = [(row, tenant(row), value(vector)) for row, vector in enumerate(VECTORS)]
    run(connection.copy_records_to_table(table, records=records[:-1]))
    run(connection.execute(f"INSERT INTO {table} VALUES ($1, $2, $3)", *records[-1]))
    got = [vector.to_list() for (vector,) in run(connection.fetch(f"SELECT embedding FROM {table} ORDER BY id"))]
    same_vectors(f"{client}: values", got)
    run(connection.execute(index_sql(table, kind)))
    check_sql_searches(
        client,
        lambda sql: run(connection.execute(sql)),
        lambda sql: [first for (first,) in run(connection.fetch(sql, value(QUERY)))],
        table,
        "$1",
    )
    run(connection.close())


# SQLAlchemy 2


def sqlalchemy_types():
    from pgvector.sqlalchemy import HALFVEC, VECTOR
    from sqlalchemy.dialects.postgresql.base import ischema_names

    class VERAVEC(VECTOR):
        cache_ok = True

        def get_col_spec(self, **kw):
            return "VERAVEC" if self.dim is None else f"VERAVEC({self.dim})"

    class VERAHALFVEC(HALFVEC):
        cache_ok = True

        def get_col_spec(self, **kw):
            return "VERAHALFVEC" if self.dim is None else f"VERAHALFVEC({self.dim})"

    ischema_names |= {"veravec": VERAVEC, "verahalfvec": VERAHALFVEC}  # for reflection
    return {"vector": VECTOR, "halfvec": HALFVEC, "veravec": VERAVEC, "verahalfvec": VERAHALFVEC}


def test_sqlalchemy(kind):
    from sqlalchemy import Index, MetaData, create_engine, select, text
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

    client = f"SQLAlchemy, {kind}"
    column_type = sqlalchemy_types()[kind]
    operator_class = OPERATOR_CLASSES[kind]

    class Base(DeclarativeBase):
        pass

    class Item(Base):
        __tablename__ = "items"
        id: Mapped[int] = mapped_column(primary_key=True)
        tenant: Mapped[int]
        embedding: Mapped[list[float]] = mapped_column(column_type(DIM))

    Index(
        "items_embedding",
        Item.embedding,
        Item.tenant,
        postgresql_using="veraflat",
        postgresql_ops={"embedding": operator_class},
    )
    Index("items_l1", Item.embedding, postgresql_using="veraflat", postgresql_ops={"embedding": f"{kind}_l1_ops"})
    distances = {
        "<->": Item.embedding.l2_distance,
        "<#>": Item.embedding.max_inner_product,
        "<=>": Item.embedding.cosine_distance,
        "<+>": Item.embedding.l1_distance,
    }

    def nearest(operator):
        distance = distances[operator](QUERY.tolist())
        return select(Item.id).where(Item.tenant == TENANT).order_by(distance).limit(LIMIT)

    engine = create_engine("postgresql+psycopg://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:

        def explain(operator):
            sql = nearest(operator).compile(engine, compile_kwargs={"literal_binds": True})
            return "\n".join(session.scalars(text(f"EXPLAIN {sql}")))

        session.add_all(
            Item(id=row, tenant=tenant(row), embedding=vector.tolist()) for row, vector in enumerate(VECTORS)
        )
        session.flush()
        session.expire_all()
        got = [values(vector) for vector in session.scalars(select(Item.embedding).order_by(Item.id))]
        same_vectors(f"{client}: values", got)
        check_searches(
            client,
            lambda sql: session.execute(text(sql)),
            explain,
            lambda operator: session.scalars(nearest(operator)).all(),
        )
        session.commit()
    reflected = MetaData()
    reflected.reflect(engine, only=["items"])
    same(f"{client}: reflection", str(reflected.tables["items"].c.embedding.type), f"{kind.upper()}({DIM})")
    Base.metadata.drop_all(engine)
    engine.dispose()


# Django


def django_set_up():
    import django
    from django.conf import settings

    database = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "USER": os.environ["PGUSER"],
        "NAME": os.environ["PGDATABASE"],
    }
    settings.configure(DATABASES={"default": database}, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
    django.setup()


def django_index():
    from django.contrib.postgres.indexes import PostgresIndex

    class VeraflatIndex(PostgresIndex):
        suffix = "veraflat"

    return VeraflatIndex


def django_fields():
    from pgvector.django import HalfVectorField, VectorField

    class VeravecField(VectorField):
        def db_type(self, connection):
            return "veravec" if self.dimensions is None else f"veravec({self.dimensions})"

    class VerahalfvecField(HalfVectorField):
        def db_type(self, connection):
            return "verahalfvec" if self.dimensions is None else f"verahalfvec({self.dimensions})"

    return {"vector": VectorField, "halfvec": HalfVectorField, "veravec": VeravecField, "verahalfvec": VerahalfvecField}


def test_django(kind):
    from django.db import connection, models
    from pgvector.django import CosineDistance, L1Distance, L2Distance, MaxInnerProduct

    client = f"Django, {kind}"
    field, VeraflatIndex = django_fields()[kind], django_index()

    class Meta:
        app_label = "clients"
        db_table = "items"
        indexes = [
            VeraflatIndex(name="items_embedding", fields=["embedding", "tenant"]),
            VeraflatIndex(name="items_l1", fields=["embedding"], opclasses=[f"{kind}_l1_ops"]),
        ]

    columns = {"tenant": models.IntegerField(), "embedding": field(dimensions=DIM)}
    Item = type(f"Item{kind}", (models.Model,), {"__module__": __name__, "Meta": Meta} | columns)
    distances = {"<->": L2Distance, "<#>": MaxInnerProduct, "<=>": CosineDistance, "<+>": L1Distance}

    def nearest(operator):
        distance = distances[operator]("embedding", QUERY.tolist())
        return Item.objects.filter(tenant=TENANT).order_by(distance).values_list("id", flat=True)[:LIMIT]

    with connection.schema_editor() as editor:
        editor.create_model(Item)
    Item.objects.bulk_create(
        Item(id=row, tenant=tenant(row), embedding=vector.tolist()) for row, vector in enumerate(VECTORS)
    )
    got = [values(vector) for vector in Item.objects.order_by("id").values_list("embedding", flat=True)]
    same_vectors(f"{client}: values", got)
    with connection.cursor() as cursor:
        check_searches(
            client, cursor.execute, lambda operator: nearest(operator).explain(), lambda operator: list(nearest(operator))
        )
    with connection.schema_editor() as editor:
        editor.delete_model(Item)


def values(vector):
    """A vector as the ORMs give it, which for halves is an object of pgvector's, as a list."""
    return vector if isinstance(vector, list) else vector.to_list()


def main():
    django_set_up()
    there = kinds()
    tests = [(test, (kind,)) for test in (test_psycopg, test_asyncpg, test_sqlalchemy, test_django) for kind in there]
    if "vector" in there:
        tests += [(test_psycopg_with_both, ()), (test_beside_hnsw, ())]
    for test, arguments in tests:
        try:
            test(*arguments)
        except Exception:
            report(" ".join([test.__name__, *arguments]), traceback.format_exc())


if __name__ == "__main__":
    main()
