"""Random WHERE clauses for filters.py, over the table that filters_tables.py makes."""

from filters_tables import DAYS, KINDS, TAGS, TENANTS, TODAY, WORDS, vector_text


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Constants:
    """The constants of one query. Each has a place in its text, «0», «1», …, where a literal or a parameter comes."""

    def __init__(self, table):
        self.table, self.rng, self.pick = table, table.rng, table.pick
        self.operator = table.pick("<->", "<->", "<#>", "<=>", "<=>", "<+>")  # that the query orders by
        self.makers = []

    def new(self, type_name, make):
        """The mark of a new constant; make() gives a literal, another one each time."""
        self.makers.append((type_name, make))
        return f"«{len(self.makers) - 1}»"

    def values(self):
        return [make() for _, make in self.makers]

    def types(self):
        return [type_name for type_name, _ in self.makers]

    def integer(self, low, high, type_name="int"):
        return self.new(type_name, lambda: str(self.rng.integers(low, high)))

    def tenant(self):
        return self.integer(0, TENANTS + 1)

    def text(self, *choices):
        return self.new("text", lambda: quoted(self.pick(*choices)))

    def array(self, choices, type_name, least=0, most=3):
        return self.new(type_name, lambda: "'{" + ",".join(f'"{one}"' for one in self.table.some(choices, least, most))
                        + f"}}'::{type_name}")

    def time(self):
        return self.new("timestamptz", lambda: f"'{TODAY}'::timestamptz + {self.rng.integers(-5 * DAYS, 5 * DAYS)}"
                        " * interval '1 day'")

    def json(self):
        return self.new("jsonb", lambda: quoted(self.pick(
            f'{{"kind": "{self.pick("a", "b", "z")}"}}', f'{{"n": {self.rng.integers(0, 20)}}}', "{}",
            f'{{"labels": ["{self.pick(*TAGS)}"]}}', '{"nested": {"deep": {"n": 1}}}', '{"nested": {"x": null}}',
            f'{{"kind": "b", "n": {self.rng.integers(0, 20)}}}')) + "::jsonb")

    def words(self):
        one, other = (lambda: self.pick(*WORDS)), (lambda: self.pick(*WORDS))
        return self.new("tsquery", lambda: quoted(self.pick(
            one(), f"{one()} & {other()}", f"{one()} | {other()}", f"!{one()}", f"{one()} & !{other()}",
            f"{one()} <-> {other()}", f"{one()[:2]}:*", f"({one()} | {other()}) & {one()}")) + "::tsquery")

    def vector(self):
        """A constant; or, known only when the query runs, a stored vector that may be NULL."""
        if self.rng.random() < 0.12:
            return f"(SELECT q.v FROM queries q WHERE q.id = {self.integer(0, 9)})"
        return self.new("veravec", self.constant_vector)

    def constant_vector(self):
        return f"'{vector_text(self.table.query_vector())}'::veravec"

    def distance(self):
        """A number that is likely to lie among the distances: many are small integers, their roots or cosines."""
        return self.new("float8", lambda: self.pick("0", "0.3", "0.3", "1", "1", "1.5", "2", "3", "-1", "5", "'NaN'"))


def _plain(c, t):
    """Comparisons of ordinary columns. c: the Constants; t: the alias of the table."""
    like = c.pick("a%", "%b", "%b%", "_", "", "b\\_%", "A%")
    return (
        f"{t}.tenant = {c.tenant()}", f"{t}.tenant = {c.tenant()}", f"{t}.tenant = {c.tenant()}",
        f"{t}.tenant < {c.tenant()}",
        f"{t}.tenant IN ({c.tenant()}, {c.tenant()}, {c.tenant()})",
        f"{t}.tenant = ANY ({c.array(range(TENANTS), 'int[]')})",
        f"{t}.tenant BETWEEN {c.tenant()} AND {c.tenant()}", f"{t}.tenant IS NULL", f"{t}.tenant <> {c.tenant()}",
        f"{t}.tenant IS DISTINCT FROM {c.tenant()}", f"{t}.tenant % 3 = {c.integer(0, 3)}",
        f"{t}.at >= {c.time()}", f"{t}.at BETWEEN {c.time()} AND {c.time()}", f"{t}.at < {c.time()}",
        # + 0 keeps it from a btree on both columns, which fails an assertion of PostgreSQL 17.11's if there is
        # another condition on the first (_bt_checkkeys, by a plain index scan).
        f"{t}.at > {c.time()} AND {t}.at <= {c.time()}", f"({t}.tenant + 0, {t}.at) > ({c.tenant()}, {c.time()})",
        f"date_trunc('month', {t}.at) = '2026-03-01'", f"{t}.at < now() AND {t}.tenant >= {c.tenant()}",
        f"{t}.tag = {c.text(*KINDS)}", f"{t}.tag = {c.text(*KINDS)}", f"{t}.tag > {c.text(*KINDS)}",
        f"{t}.tag LIKE {quoted(like)}", f"{t}.tag NOT LIKE {quoted(like)}", f"{t}.tag ILIKE {c.text('A%', '%b')}",
        f"{t}.tag = ANY ({c.array(KINDS[:6], 'text[]')})", f"{t}.tag <> ALL ({c.array(KINDS[:6], 'text[]')})",
        f"lower({t}.tag) = {c.text('a', 'abc')}", f"{t}.tag ~ '^a'", f"name_class({t}.tag) = {c.integer(0, 3)}",
        f"{t}.flag", f"NOT {t}.flag", f"{t}.flag IS NOT TRUE", f"{t}.flag IS NULL", f"coalesce({t}.flag, true)",
        f"{t}.id = {c.integer(1, 3000, 'bigint')}", f"{t}.id % {c.pick(2, 3, 7, 50)} = {c.integer(0, 2, 'bigint')}",
        f"{t}.id BETWEEN {c.integer(1, 1000, 'bigint')} AND {c.integer(500, 3000, 'bigint')}",
        f"{t}.ctid < '({c.rng.integers(0, 40)},3)'",
        f"CASE WHEN {t}.flag THEN {t}.tenant < {c.tenant()} ELSE {t}.tag = 'a' END",
        "true", "false", "NULL::boolean", f"{c.integer(0, 2)} = 1",
    )


def _documents(c, t):
    """Arrays, jsonb, full text."""
    simple = f"to_tsvector('simple', {t}.body)"
    return (
        f"{t}.tags && {c.array(TAGS, 'text[]')}", f"{t}.tags @> {c.array(TAGS, 'text[]', 1, 2)}",
        f"{t}.tags <@ {c.array(TAGS, 'text[]', 1, 4)}", f"{c.text(*TAGS)} = ANY ({t}.tags)", f"{t}.tags = '{{}}'",
        f"cardinality({t}.tags) > {c.integer(0, 3)}", f"{t}.tags[1] = {c.text(*TAGS)}",
        f"{t}.meta @> {c.json()}", f"{t}.meta @> {c.json()}", f"{t}.meta @> {c.json()} AND {t}.meta @> {c.json()}",
        f"{t}.meta ? {c.text('n', 'kind', 'labels', 'z')}", f"{t}.meta ?| {c.array(('n', 'labels', 'z'), 'text[]')}",
        f"{t}.meta ?& {c.array(('n', 'kind', 'labels'), 'text[]')}", f"NOT {t}.meta ? 'labels'", f"{t}.meta IS NULL",
        f"{t}.meta ->> 'kind' = {c.text('a', 'b', 'z')}", f"{t}.meta ->> 'kind' IS NULL",
        f"({t}.meta ->> 'n')::int < {c.integer(0, 20)}", f"({t}.meta ->> 'n')::int = {c.integer(0, 20)}",
        f"{t}.meta @? '$.n ? (@ > {c.rng.integers(0, 20)})'", f"{t}.meta @@ '$.kind == \"a\"'",
        f"{t}.meta -> 'nested' @> '{{\"x\": true}}'", f"{t}.meta #>> '{{nested,deep,n}}' = '1'",
        f"{t}.words @@ {c.words()}", f"{t}.words @@ {c.words()}", f"NOT {t}.words @@ {c.words()}",
        f"{simple} @@ {c.words()}",
    )


def _subqueries(c, t):
    """Other tables, functions that are not immutable."""
    in_n = f"SELECT n.tenant FROM n WHERE n.tag = {c.text('a', 'b', 'z')}"
    return (
        f"EXISTS (SELECT FROM n WHERE n.tenant = {t}.tenant AND n.tag = {c.text('a', 'b', 'c')})",
        f"NOT EXISTS (SELECT FROM n WHERE n.tenant = {t}.tenant AND n.id < {t}.id)",
        f"{t}.tenant IN ({in_n})", f"{t}.tenant NOT IN ({in_n})",
        f"{t}.tenant NOT IN ({in_n} AND n.tenant IS NOT NULL)",
        f"{t}.tenant = (SELECT min(n.tenant) FROM n WHERE n.id > {c.integer(0, 20, 'bigint')})",
        f"(SELECT count(*) FROM n WHERE n.tag = {t}.tag) > {c.integer(0, 5)}",
        f"{t}.tenant = ANY (ARRAY({in_n}))", f"{t}.tags && ARRAY(SELECT n.tag || 'ed' FROM n UNION SELECT 'red')",
        f"{t}.id IN (SELECT u.id FROM t u WHERE u.tenant = {c.tenant()} AND u.flag)",
        f"is_low({t}.tenant)", f"is_even({t}.id)", "random() < 2", f"clock_timestamp() > {t}.at", f"{t}.at < now()",
        f"{t}.tenant = current_tenant()", f"{t}.tenant = current_setting('app.tenant')::int",
        f"{t}.at > today() - interval '90 days'", f"{t}.tenant = (random() * 0)::int",
    )


def _vectors(c, t, d):
    """Thresholds of the distance d by which the rows are ordered, and others."""
    other = f"{c.table.expression % t} {c.pick('<->', '<#>', '<=>', '<+>')} {c.vector()}"
    return (
        f"{d} < {c.distance()}", f"{d} <= {c.distance()}", f"{d} > {c.distance()}", f"{c.distance()} > {d}",
        f"{d} >= {c.distance()} AND {d} < {c.distance()}", f"{d} BETWEEN {c.distance()} AND {c.distance()}",
        f"{d} = {c.distance()}", f"{d} IS NOT NULL", f"{d} IS NULL", f"{d} <> 'NaN'", f"{other} < {c.distance()}",
        f"{other} > {c.distance()}", f"{t}.v IS NOT NULL", f"{t}.v IS NULL", f"{t}.v = {c.vector()}",
        f"{t}.v <> {c.vector()}",
    )


def _leaf(c, t, d):
    make = c.pick(*[_plain] * 5, *[_documents] * 4, *[_subqueries] * 2, *[_vectors] * 2)
    # All are made, and only then is one chosen: the constants of the others must not become parameters.
    kept = len(c.makers)
    leaves = make(c, t, d) if make is _vectors else make(c, t)
    leaf = leaves[c.rng.integers(len(leaves))]
    return renumbered(c, leaf, kept)


def renumbered(c, text, kept):
    """The text with only its own constants after the first `kept`, in the order of their places."""
    makers = c.makers[kept:]
    del c.makers[kept:]
    for number, maker in enumerate(makers, start=kept):
        if f"«{number}»" in text:
            c.makers.append(maker)
            text = text.replace(f"«{number}»", f"«{len(c.makers) - 1}»")
    return text


def _tree(c, t, d, depth):
    if depth == 0 or c.rng.random() < 0.4:
        return _leaf(c, t, d)
    match c.pick("AND", "AND", "AND", "OR", "OR", "NOT"):
        case "NOT":
            return f"NOT ({_tree(c, t, d, depth - 1)})"
        case word:
            return "(" + f" {word} ".join(_tree(c, t, d, depth - 1) for _ in range(c.pick(2, 2, 3))) + ")"


def predicate(constants, alias, distance):
    """A condition in SQL on the rows of `alias`; `distance` is the expression that they are ordered by."""
    table = constants.table
    terms = [_tree(constants, alias, distance, constants.pick(0, 1, 2)) for _ in range(constants.pick(1, 1, 1, 2))]
    if table.where and constants.rng.random() < 0.7:
        terms.append(f"{alias}.{table.where}")
    return " AND ".join(terms)

