"""Random queries for filters.py, and what SQL says about their answers."""

import dataclasses

from common import first_difference
from filters_predicates import Constants, predicate, renumbered

WINDOW = "/*window*/"  # where LIMIT and OFFSET go


@dataclasses.dataclass
class Query:
    """A query, its constants, and how to judge its answer.

    template: SQL with «numbers» for constants and WINDOW.
    judge: "nearest": rows are (identity, distance), by distance; rows at the same distance come in any order.
        "keys": rows are (identity, key, …), by the keys in whatever order the sequential plan has them.
        "groups": rows are (group, identity, distance), each group with a window of its own, in any order.
        "exact": there is one right answer, with its order. "set": one without.
    """

    template: str
    judge: str
    constants: Constants
    offset: int = 0
    limit: int | None = None
    with_ties: bool = False
    suffix: str = ""
    changes: bool = False
    window: str = ""

    def sql(self, values):
        """As it is asked, with these literals or parameters for its constants."""
        return self._filled(self.window, values)

    def full_sql(self, values):
        """Without a window, if the judge knows what that does: everything that could be in the answer."""
        return self._filled(self.window if self.judge in ("exact", "set") else "", values)

    def _filled(self, window, values):
        text = self.template.replace(WINDOW, window) + self.suffix
        for number, value in enumerate(values):
            text = text.replace(f"«{number}»", value)
        return text

    def difference(self, got, full):
        """How the rows `got` differ from what they must be, given those of full_sql; None if they do not."""
        window = (self.offset, self.limit, self.with_ties)
        match self.judge:
            case "nearest":
                return first_difference(got, full, *window)
            case "keys":
                return _keys_difference(got, full, *window)
            case "groups":
                return _groups_difference(got, full, *window)
            case "exact":
                return _rows_difference(got, full)
            case "set":
                return _rows_difference(sorted(got, key=_comparable), sorted(full, key=_comparable))


def _comparable(row):
    """Equal for rows that SQL does not tell apart: NaN is NaN, and -0.0 is 0.0."""
    return repr([value + 0.0 if isinstance(value, float) else value for value in row])


def _rows_difference(got, full):
    """The first place where two lists differ, or None."""
    for position in range(max(len(got), len(full))):
        a, b = (_comparable(rows[position]) if position < len(rows) else "nothing" for rows in (full, got))
        if a != b:
            return f"row {position}: expected {a}, got {b}"
    return None


def _keys_difference(got, full, *window):
    """As first_difference, for more keys than a distance: each combination becomes a number, its rank."""
    ranks = {}
    for row in full:
        ranks.setdefault(_comparable(row[1:]), float(len(ranks)))
    strangers = set(map(repr, got)) - set(map(repr, full))
    if strangers:
        return f"rows that are not in the whole answer: {sorted(strangers)[:5]}"
    return first_difference(*([(row[0], ranks[_comparable(row[1:])]) for row in rows] for rows in (got, full)), *window)


def _groups_difference(got, full, *window):
    def groups(rows):
        found = {}
        for group, *row in rows:
            found.setdefault(group, []).append(tuple(row))
        return {group: sorted(rows, key=lambda row: (row[1] is None, row[1] != row[1], row[1] or 0.0))
                for group, rows in found.items()}

    got, full = groups(got), groups(full)
    if not set(got) <= set(full):
        return f"rows for {set(got) - set(full)}, which have none in the sequential plan"
    for group, right in full.items():
        found = first_difference(got.get(group, []), right, *window)
        if found:
            return f"group {group}: {found}"
    return None


def _ordered(c, d, where):
    """Rows of one table by distance. Name → (template, judge)."""
    identity = c.pick("t.id", "t.id", "t.id || ' at ' || t.ctid::text", "concat(t.id, ' in ', t.tableoid::regclass)",
                      "md5(t::text) || t.id", "concat(t.id, ' ', t.tag, t.tags, t.meta)")
    rows = f"SELECT {identity}, {d} FROM t WHERE {where}"
    key = c.pick("t.tenant", "t.tag DESC", "t.at NULLS FIRST", "t.flag", "t.tags")
    column = key.split()[0]
    whole = f"SELECT t.id, {d} AS d, t.tenant, t.flag FROM t WHERE {where} ORDER BY {d}, t.id{WINDOW}"
    return {
        "plain": (f"{rows} ORDER BY {d}{WINDOW}", "nearest"),
        "further key": (f"SELECT t.id, {d}, {column}::text FROM t WHERE {where} ORDER BY {d}, {key}{WINDOW}", "keys"),
        "key before": (f"SELECT t.id, {column}::text, {d} FROM t WHERE {where} ORDER BY {key}, {d}{WINDOW}", "keys"),
        "descending": (f"{rows} ORDER BY {d} {c.pick('DESC', 'NULLS FIRST', 'DESC NULLS LAST')}{WINDOW}", "keys"),
        "ties broken": (f"{rows} ORDER BY {d}, t.id{WINDOW}", "exact"),
        "view": (f"SELECT t.id, {d} FROM barrier t WHERE {where} ORDER BY {d}{WINDOW}", "nearest"),
        "sample": (f"SELECT t.id, {d} FROM t TABLESAMPLE BERNOULLI (60) REPEATABLE (3) WHERE {where}"
                   f" ORDER BY {d}{WINDOW}", "nearest"),
        "only": (f"SELECT t.id, {d} FROM ONLY t WHERE {where} ORDER BY {d}{WINDOW}", "nearest"),
        "subquery": (f"SELECT s.id, s.d FROM (SELECT t.id, {d} AS d FROM t WHERE {where} ORDER BY d{WINDOW}) s",
                     "nearest"),
        "filter after": (f"SELECT s.id, s.d FROM ({whole}) s WHERE s.flag OR s.tenant < 2 ORDER BY s.d, s.id", "exact"),
        "CTE": (f"WITH s AS {c.pick('MATERIALIZED', 'NOT MATERIALIZED')} ({whole})"
                " SELECT id, d FROM s ORDER BY d, id", "exact"),
        "count": (f"SELECT count(*), count(s.d) FROM (SELECT {d} AS d FROM t WHERE {where} ORDER BY {d}{WINDOW}) s",
                  "exact"),
        "count all": (f"SELECT count(*), sum(t.id)::bigint, min({d}), max({d}) FROM t WHERE {where}", "exact"),
        "within": (f"SELECT count(*), count(t.flag), sum(t.id)::bigint FROM t WHERE {d} {c.pick('<', '<=')} {c.distance()} AND {where}",
                   "exact"),
        "count within": (f"SELECT count(*) FROM t WHERE {d} {c.pick('<', '<=')} {c.distance()}", "exact"),
        "count ring": (f"SELECT count(*) FROM t WHERE {d} {c.pick('>', '>=')} {c.distance()} AND {c.distance()} {c.pick('>', '>=')} {d}", "exact"),
        "count beyond": (f"SELECT count(*) FROM t WHERE {d} {c.pick('>', '>=')} {c.distance()}", "exact"),
        "ring": (f"SELECT count(*), sum(t.id)::bigint FROM t WHERE {d} BETWEEN {c.distance()} AND {c.distance()} AND {where}", "exact"),
        "ordered ring": (f"SELECT count(*), min(s.d), max(s.d) FROM (SELECT {d} AS d FROM t WHERE {d} {c.pick('>', '>=')} {c.distance()} AND {where}"
                         f" AND {d} {c.pick('<', '<=')} {c.distance()} ORDER BY {d}{WINDOW}) s", "exact"),
        "all within": (f"SELECT t.id, t.tenant, t.ctid::text FROM t WHERE {c.distance()} > {d}", "set"),
        "exists": (f"SELECT EXISTS (SELECT FROM t WHERE {where} ORDER BY {d}{WINDOW})", "exact"),
        "group by": (f"SELECT s.tenant, count(*), max(s.d) FROM ({whole}) s GROUP BY s.tenant", "set"),
        "distinct on": (f"SELECT DISTINCT ON ({d}) t.id, {d} FROM t WHERE {where} ORDER BY {d}, t.id{WINDOW}", "exact"),
        "distinct on another": (f"SELECT DISTINCT ON (t.tenant) t.id, t.tenant, {d} FROM t WHERE {where}"
                                f" ORDER BY t.tenant, {d}, t.id{WINDOW}", "exact"),
        "distinct": (f"SELECT DISTINCT {d} AS d FROM t WHERE {where} ORDER BY d{WINDOW}", "exact"),
        "window function": (f"SELECT t.id, {d}, rank() OVER (ORDER BY {d}) FROM t WHERE {where} ORDER BY {d}{WINDOW}",
                            "keys"),
        "delete": (f"DELETE FROM t WHERE id IN (SELECT id FROM ({whole}) s) RETURNING id, {d}", "set"),
        "update": (f"UPDATE t SET pad = 'z' FROM ({whole}) s WHERE s.id = t.id RETURNING t.id, t.flag, s.d", "set"),
    }


def _joined(c, d, where):
    """Rows of several tables, or of one table several times. Name → (template, judge)."""
    table, operator = c.table, c.operator
    on = c.pick("n.tenant = t.tenant", "n.id = t.id % 20", f"n.tenant = t.tenant AND n.tag = {c.text('a', 'b')}")
    pair = f"SELECT concat(t.id, ' ', n.id), {d}"
    by_q = f"{table.expression % 't'} {operator} q.v"
    second = predicate(c, "t", d)
    inner = predicate(c, "t", by_q)
    own_order = "" if c.rng.random() < 0.5 else " ORDER BY q.id, i.d"
    correlated = c.pick("t.tenant = q.tenant", "t.tenant = q.tenant", "t.tag = q.tag AND t.id <> q.id", "t.id > q.id")
    inside = f"SELECT t.id, {by_q} AS d FROM t WHERE {correlated} AND {inner} ORDER BY {by_q}{WINDOW}"
    return {
        "join": (f"{pair} FROM t JOIN n ON {on} WHERE {where} ORDER BY {d}{WINDOW}", "nearest"),
        "left join": (f"{pair} FROM t LEFT JOIN n ON {on} WHERE {where} ORDER BY {d}{WINDOW}", "nearest"),
        "right join": (f"{pair} FROM n LEFT JOIN t ON {on} AND {where} ORDER BY {d}{WINDOW}", "nearest"),
        "vector of a row": (f"SELECT t.id, {by_q} FROM queries q JOIN t ON t.tenant = q.tenant WHERE"
                            f" q.id = {c.integer(0, 8, 'bigint')} AND {inner} ORDER BY {by_q}{WINDOW}", "nearest"),
        "lateral": (f"SELECT q.id, i.id, i.d FROM queries q, LATERAL ({inside}) i{own_order}", "groups"),
        "left lateral": (f"SELECT q.id, i.id, i.d FROM queries q LEFT JOIN LATERAL (SELECT t.id, {by_q} AS d FROM t"
                         f" WHERE {correlated} AND {inner} ORDER BY {by_q}, t.id{WINDOW}) i ON true", "set"),
        "correlated": (f"SELECT q.id, (SELECT count(s.d) FROM ({inside}) s) FROM queries q", "set"),
        "array": (f"SELECT q.id, ARRAY(SELECT {by_q} FROM t WHERE {correlated} AND {inner}"
                  f" ORDER BY {by_q}{WINDOW})::text FROM queries q", "set"),
        "union all": (f"(SELECT 1, t.id, {d} AS d FROM t WHERE {where} ORDER BY {d}{WINDOW}) UNION ALL"
                      f" (SELECT 2, t.id, {d} FROM t WHERE {second} ORDER BY {d}{WINDOW})"
                      f"{c.pick('', ' ORDER BY d')}", "groups"),
    }


def random_query(table, may_lock, may_change):
    """A query with its shape, filter and window; its constants are still to be given values."""
    rng = table.rng
    c = Constants(table)
    d = f"{table.expression % 't'} {c.operator} {c.vector()}"
    if rng.random() < 0.1:
        left, operator, right = d.rpartition(f" {c.operator} ")
        d = f"{right} {c.operator} {left}" if operator else d
    where = predicate(c, "t", d)
    shapes = _ordered(c, d, where) | _joined(c, d, where)
    if not may_change:
        del shapes["delete"], shapes["update"]
    if "ctid" in where:
        del shapes["view"]
    names = ["plain"] * 12 + ["lateral"] * 2 + ["within", "all within"] + ["count within", "count ring", "ring", "ordered ring"] + sorted(shapes)
    name = names[rng.integers(len(names))]
    template, judge = shapes[name]
    query = Query(template, judge, c, changes=name in ("delete", "update"))
    if WINDOW in template and rng.random() < 0.85:
        query.limit = int(table.pick(0, 1, 2, 5, 5, 10, 10, 20, 50, 300))
    if WINDOW in template and rng.random() < 0.2:
        query.offset = int(table.pick(1, 3, 10, 100))
    if name in ("plain", "join", "left join", "view", "ties broken") and may_lock and rng.random() < 0.15:
        query.suffix = f" FOR {table.pick('UPDATE', 'SHARE', 'NO KEY UPDATE')} OF t SKIP LOCKED"
    elif query.limit and rng.random() < 0.12:
        query.with_ties = True
    _set_window(query, c)
    query.template, query.window = renumbered(c, f"{query.template}\0{query.window}", 0).split("\0")
    return query


def _set_window(query, c):
    """The text of LIMIT and OFFSET; the numbers are constants, which may become parameters."""
    if query.limit is not None:
        limit = c.new("bigint", lambda: str(query.limit))
        query.window = f" FETCH FIRST ({limit}) ROWS WITH TIES" if query.with_ties else f" LIMIT {limit}"
    if query.offset:
        query.window = f" OFFSET {c.new('bigint', lambda: str(query.offset))}{query.window}"
