-- The document store asks what one would write by hand: same plans, same rows.
SET client_min_messages = warning;
SELECT vera.create_collection('plans', 64, key_fields => ARRAY['tenant', 'year numeric']);
SELECT vera.add_documents('plans', array_agg(i::text), array_agg(repeat('word' || i || ' ', 40)),
		array_agg((SELECT array_agg((hashint8(i * 64 + j) % 1000)::real) FROM generate_series(1, 64) j)::veravec),
		array_agg(jsonb_build_object('tenant', 't' || i % 20, 'year', 1900 + i % 100, 'lang', 'l' || i % 400, 'pages', i)))
	FROM generate_series(1, 6000) i;
VACUUM ANALYZE plans;

-- A plan without what a search adds to it: a level for the score, that the embedding is there, and names in full.
CREATE FUNCTION outline(plan text[]) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(outlined) FROM unnest(plan) line,
		regexp_replace(line, '^[ >-]*', '') bare,
		regexp_replace(bare, 'OPERATOR\(public\.([<=>]+)\)', '\1', 'g') operators,
		regexp_replace(operators, '\m(public|plans)\.', '', 'g') short,
		replace(short, '(embedding IS NOT NULL) AND ', '') present,
		regexp_replace(present, '^(\w+ ?\w*: )\((\(.*\))\)$', '\1\2') outlined
	WHERE outlined NOT IN ('Subquery Scan on s', 'Result', 'Index Cond: (embedding IS NOT NULL)', 'Filter: (embedding IS NOT NULL)')
$$;
CREATE FUNCTION explained(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || statement; END $$;

-- Parts of the plan if it is that of the statement by hand, and both if not; and likewise for the rows.
CREATE FUNCTION by_hand(filter jsonb, condition text, where_document jsonb DEFAULT NULL, max_distance float8 DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	query veravec := (SELECT embedding FROM plans WHERE id = '77');
	statement text := format('SELECT id, content, metadata, created_at, embedding <=> %L AS distance, 1 - (embedding <=> %1$L) AS score FROM plans'
		' WHERE %s ORDER BY embedding <=> %1$L LIMIT 5', query, condition);
	plan text[] := outline(ARRAY(SELECT replace(line, query::text, '$q') FROM vera.explain_search('plans', query, 5, filter, where_document, max_distance) line));
	hand text[] := outline(ARRAY(SELECT replace(line, query::text, '$q') FROM explained(statement) line));
	answers text[];
	hand_answers text[];
BEGIN
	EXECUTE format('SELECT array_agg(s::text) FROM (%s) s', statement) INTO hand_answers;
	SELECT array_agg(s::text) INTO answers FROM vera.search('plans', query, 5, filter, where_document, max_distance) s;
	IF plan IS DISTINCT FROM hand THEN
		RETURN format(E'plans differ\n%s\n%s', array_to_string(plan, E'\n'), array_to_string(hand, E'\n'));
	ELSIF answers IS DISTINCT FROM hand_answers THEN
		RETURN format('answers differ: %s %s', answers, hand_answers);
	END IF;
	RETURN (SELECT string_agg(substring(line FROM '^(.*?)( on | using |$)'), ' < ') FROM unnest(plan) line WHERE line !~ ':')
		|| coalesce(', ' || (SELECT string_agg(line, ', ' ORDER BY line) FROM unnest(plan) line WHERE line ~ 'Index Cond'), '')
		|| format(', %s rows', coalesce(cardinality(answers), 0));
END $$;

SELECT by_hand(NULL, 'true');
SELECT by_hand('{"tenant": "t3"}', $$key_tenant = 't3'$$);
SELECT by_hand('{"tenant": "t3", "year": {"$gte": 1990}}', $$key_tenant = 't3' AND key_year >= 1990$$);
SELECT by_hand('{"tenant": {"$in": ["t3", "t4"]}}', $$key_tenant = ANY ('{t3,t4}')$$);
SELECT by_hand('{"year": {"$gt": 1950, "$lte": 1960}}', $$key_year > 1950 AND key_year <= 1960$$);
SELECT by_hand('{"lang": "l5"}', $$metadata @> '{"lang": "l5"}'$$);
SELECT by_hand('{"lang": {"$in": ["l5", "l6"]}}', $$metadata @> '{"lang": "l5"}' OR metadata @> '{"lang": "l6"}'$$);
SELECT by_hand('{"pages": 17}', $$metadata @> '{"pages": 17}'$$);
SELECT by_hand('{"must": [{"key": "lang", "match": {"value": "l3"}}, {"key": "year", "range": {"lt": 1950}}]}',
	$$(metadata @> '{"lang": "l3"}' OR metadata @> '{"lang": ["l3"]}') AND key_year < 1950$$);
SELECT by_hand('{"tenant": "t3", "lang": "l3"}', $$key_tenant = 't3' AND metadata @> '{"lang": "l3"}'$$);
SELECT by_hand(NULL, $$embedding <=> (SELECT embedding FROM plans WHERE id = '77') <= 0.1$$, max_distance => 0.1) !~ 'answers';

SELECT vera.delete_collection('plans');
DROP FUNCTION by_hand, explained, outline;
