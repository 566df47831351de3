"""Random queries for oracle.py, over the table that oracle_tables.py makes."""

import dataclasses

from common import literal

# Where a query's parts go.
VECTOR, DISTANCE, WINDOW = "/*vector*/", "/*distance*/", "/*window*/"


@dataclasses.dataclass
class Query:
    """A query by distance, and how to take its answer apart.

    template: SQL with the marks above; its columns are group (if grouped), identity, distance.
    grouped: rows come in groups (one for each outer row), each with its own order and window.
    total_order: ties are broken, so that there is one right order.
    """

    template: str
    grouped: bool = False
    total_order: bool = False
    lockable: bool = False
    suffix: str = ""
    with_distance: bool = True
    offset: int = 0
    limit: int | None = None
    with_ties: bool = False

    def sql(self, vector):
        """As it is asked, for a vector in SQL or a parameter."""
        window = ""
        if self.with_ties:
            window = f" OFFSET {self.offset} FETCH FIRST {self.limit} ROWS WITH TIES"
        elif self.limit is not None or self.offset:
            window = f" LIMIT {'ALL' if self.limit is None else self.limit} OFFSET {self.offset}"
        return self._text(vector, window, self.with_distance)

    def full_sql(self, vector):
        """Without its window and with the distance: everything that could be in the answer."""
        return self._text(vector, "", True)

    def _text(self, vector, window, with_distance):
        template = self.template
        if not with_distance:
            template = template[: template.index(DISTANCE)] + template[template.rindex(DISTANCE) + len(DISTANCE):]
        return template.replace(DISTANCE, "").replace(WINDOW, window).replace(VECTOR, vector) + self.suffix


def _condition(table):
    """A filter, from all rows to none; always with the condition of the partial index."""
    rng = table.rng
    chosen = table.pick(
        "true", "true", "true",
        f"t.tenant = {rng.integers(0, 9)}",
        f"t.tenant < {rng.integers(0, 9)}",
        f"t.tag = '{table.pick('a', 'b', 'z')}'",
        f"t.data::jsonb @> '{{\"n\": {rng.integers(0, 7)}}}'",
        f"t.id % {rng.integers(1, 200)} = 0",
        f"t.id = {rng.integers(1, 300)}",
        "t.v IS NOT NULL", "t.v IS NULL",
        f"t.tenant IN (1, 2) AND t.id > {rng.integers(0, 300)}",
        "EXISTS (SELECT FROM tenants n WHERE n.tenant = t.tenant)",
        "t.tenant NOT IN (SELECT n.tenant FROM tenants n WHERE n.tenant > 2)",
    )
    return f"{chosen} AND t.{table.where}" if table.where else chosen


def _shapes(table, d, where):
    """Name → Query, without windows. d is the distance in SQL."""
    far = table.a_distance()
    shown = f"{DISTANCE}, {d}{DISTANCE}"
    outer = (f"(SELECT id, {table.expression} AS q FROM t WHERE id % {int(table.rng.integers(20, 200))} = 1"
             " ORDER BY id LIMIT 6) o")
    by_outer = f"{table.expression} {table.operator} o.q"
    ordered = f"SELECT t.id, {d} AS d FROM t WHERE {where} ORDER BY {d}{WINDOW}"
    return {
        "plain": Query(f"SELECT t.id{shown} FROM t WHERE {where} ORDER BY {d}{WINDOW}", lockable=True),
        "where it is": Query(f"SELECT t.id || ' at ' || t.ctid::text{shown} FROM t WHERE {where} ORDER BY {d}{WINDOW}"),
        "tie broken": Query(f"SELECT t.id{shown} FROM t WHERE {where} ORDER BY {d}, t.id{WINDOW}", total_order=True),
        "range": Query(f"SELECT t.id{shown} FROM t WHERE {where} AND {d} {table.pick('<', '<=', '>')} {far!r}"
                       f" ORDER BY {d}{WINDOW}", lockable=True),
        "join": Query(f"SELECT t.id{shown} FROM t JOIN tenants n ON n.tenant = t.tenant WHERE {where}"
                      f" ORDER BY {d}{WINDOW}"),
        "left join": Query(f"SELECT t.id{shown} FROM t LEFT JOIN tenants n USING (tenant) WHERE {where}"
                           f" ORDER BY {d}{WINDOW}"),
        "subquery": Query(f"SELECT s.id{DISTANCE}, s.d{DISTANCE} FROM ({ordered}) s"),
        "CTE": Query(f"WITH s AS MATERIALIZED ({ordered}) SELECT s.id{DISTANCE}, s.d{DISTANCE} FROM s"),
        "CTE joined": Query(f"WITH s AS ({ordered}) SELECT s.id{DISTANCE}, s.d{DISTANCE} FROM s JOIN t u ON u.id = s.id"
                            " ORDER BY s.d"),
        "union": Query(f"(SELECT t.id, {d} AS d FROM t WHERE {where} AND t.tenant < 4 ORDER BY {d}) UNION ALL"
                       f" (SELECT t.id, {d} FROM t WHERE {where} AND t.tenant >= 4 ORDER BY {d}) ORDER BY d{WINDOW}"),
        "lateral": Query(f"SELECT o.id, i.id, i.d FROM {outer}, LATERAL (SELECT t.id, {by_outer} AS d FROM t"
                         f" WHERE {where} ORDER BY {by_outer}{WINDOW}) i", grouped=True),
        "lateral without itself": Query(
            f"SELECT o.id, i.id{DISTANCE}, i.d{DISTANCE} FROM {outer} CROSS JOIN LATERAL (SELECT t.id, {by_outer} AS d"
            f" FROM t WHERE {where} AND t.id <> o.id ORDER BY {by_outer}{WINDOW}) i", grouped=True),
    }


def random_query(table):
    """A query for a random metric; the vector is still to be filled in."""
    rng = table.rng
    table.operator = table.operators[rng.integers(len(table.operators))]
    distance = f"{table.expression} {table.operator} {VECTOR}"
    shapes = _shapes(table, distance, _condition(table))
    names = ["plain"] * 10 + sorted(shapes)
    query = shapes[names[rng.integers(len(names))]]
    if DISTANCE in query.template:
        query.with_distance = bool(rng.random() < 0.6)
    if rng.random() < 0.8:
        query.limit = int(table.pick(0, 1, 2, 5, 10, 10, 50, 100, 1000))
    if rng.random() < 0.25:
        query.offset = int(table.pick(1, 3, 10, 100))
    if query.lockable and rng.random() < 0.1:
        query.suffix = " FOR UPDATE OF t SKIP LOCKED"
    elif query.limit and rng.random() < 0.1:
        query.with_ties = True
    return query


def vector_in_sql(table):
    """A query vector as a constant, or as something that is known only when the query runs."""
    if table.rng.random() < 0.12:
        return f"(SELECT {table.expression} FROM t WHERE t.id = {table.rng.integers(1, 100)} LIMIT 1)"
    return literal(table.query_vector())
