-- The document store: all searches.
\pset null ''
SELECT vera.create_collection('books', 3, key_fields => ARRAY['tenant', 'year numeric']);
SELECT * FROM vera.search('books', '[1,0,0]');
SELECT vera.add_documents('books', '[
	{"id": "a", "content": "Apples", "embedding": [1, 0, 0], "metadata": {"tenant": "x", "year": 2000, "by": {"name": "Ada"}}},
	{"id": "b", "content": "Pears", "embedding": [0.8, 0.6, 0], "metadata": {"tenant": "y", "year": 2005.5, "open": true}},
	{"id": "c", "content": "A pear and an apple", "embedding": [0, 1, 0], "metadata": {"tenant": "x", "open": false}, "created_at": "2020-02-02T00:00:00Z"},
	{"id": "d", "content": "no embedding"},
	{"id": "e", "embedding": [0, 0, 0]},
	{"id": "f", "embedding": [0, 0, 1]}
]');
SELECT id, distance, score FROM vera.search('books', '[1,0,0]', 3);
SELECT vera.search('books', '[0,1,0]', 1), vera.explain_search('books', '[0,1,0]', 1) ~ 'Limit' AS explained;
SELECT (vera.search('books', '[0,1,0]', 1)).*;
-- fewer than asked for; zero vectors come last, documents without a vector never
SELECT id, content, metadata, round(distance::numeric, 6) AS distance FROM vera.search('books', '[1,0,0]', k => 100);
SELECT count(*) FROM vera.search('books', '[0,0,0]');
SELECT id FROM vera.search('books', '[1,0,0]', filter => '{"tenant": "x"}', where_document => '{"$not_contains": "pear"}');
SELECT id FROM vera.search('books', '[1,0,0]', filter => '{"must_not": {"key": "tenant", "match": {"any": ["x"]}}}');
SELECT id FROM vera.search('books', '[1,0,0]', max_distance => 0.2);
SELECT id FROM vera.search('books', '[1,0,0]', max_distance => 'Infinity');
SELECT id FROM vera.search('books', '[1,0,0]', 2, skip => 1);
SELECT id FROM vera.search('books', '[1,0,0]', 2, skip => 100);
-- the least score is within, to the last bit, although the distance of that score is not
SELECT s.id, s.score FROM vera.search('books', '[1,0,0]') t, vera.search('books', '[1,0,0]', min_score => t.score) s WHERE t.id = 'b';
SELECT id FROM vera.search('books', '[1,0,0]', min_score => 0.80000001, max_distance => 5);
SELECT id FROM vera.search('books', '[1,0,0]', min_score => 0, max_distance => 0.3);
SELECT id FROM vera.search('books', '[1,0,0]', min_score => -5);
SELECT count(*) FROM vera.search('books', '[1,0,0]', min_score => 5);
SELECT least, count(id) FROM unnest(ARRAY['-Infinity', 'Infinity']::float8[]) least LEFT JOIN vera.search('books', '[1,0,0]', min_score => least) ON true GROUP BY 1 ORDER BY 1;

SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT vera.search('books', '[1,0]')$$,
	$$SELECT vera.search('books', NULL)$$,
	$$SELECT vera.search('books', '[1,0,0]', 0)$$,
	$$SELECT vera.search('books', '[1,0,0]', NULL)$$,
	$$SELECT vera.search('books', '[1,0,0]', skip => -1)$$,
	$$SELECT vera.search('books', '[1,0,0]', max_distance => 'NaN')$$,
	$$SELECT vera.search('books', '[1,0,0]', min_score => 'NaN')$$,
	$$SELECT vera.search('nothing', '[1]')$$,
	$$SELECT vera.search('', '[1]')$$,
	$$SELECT vera.search(NULL, '[1]')$$,
	$$SELECT vera.search('books', '[1,0,0]', filter => '{"$and": [{"year": {"$above": 1}}]}')$$,
	$$SELECT vera.search('books', '[1,0,0]', filter => '[]')$$,
	$$SELECT vera.search('books', '[1,0,0]', filter => '{"year": {"$in": 1}}')$$,
	$$SELECT vera.search('books', '[1,0,0]', where_document => '{"$regex": "("}')$$,
	$$SELECT vera.search('books', '[1,0,0]', where_document => '{"content": "x"}')$$,
	$$SELECT vera.search_batch('books', ARRAY['[1,0,0]', NULL]::veravec[])$$,
	$$SELECT vera.search_batch('nothing', '{}')$$,
	$$SELECT vera.explain_search('books', '[1]')$$
]) AS statement, error_of(statement) AS e;

-- plans are kept, and follow what is done to the table
SELECT id FROM vera.search('books', '[0,1,0]', 1), generate_series(1, 7);
ALTER TABLE books DROP COLUMN created_at;
SELECT e.state, e.message FROM error_of($$SELECT vera.search('books', '[0,1,0]', 1)$$) e;
ALTER TABLE books ADD COLUMN created_at timestamptz DEFAULT '2020-02-02 00:00+00';
DROP INDEX books_embedding_key_tenant_key_year_idx;
SELECT id, created_at = '2020-02-02 00:00+00' AS same FROM vera.search('books', '[0,1,0]', 1);
-- more of them than are kept
SELECT sum(n) FROM generate_series(1, 200) k, LATERAL (SELECT count(*) AS n FROM vera.search('books', '[0,1,0]', k)) s;
-- rows of another type than the function's
ALTER TABLE books ALTER COLUMN content TYPE bytea USING convert_to(content, 'UTF8');
SELECT e.state, e.message FROM error_of($$SELECT vera.search('books', '[0,1,0]', 1)$$) e;
ALTER TABLE books ALTER COLUMN content TYPE text USING convert_from(content, 'UTF8');
-- a search within a search
CREATE FUNCTION nearest_to_nearest(q veravec) RETURNS text LANGUAGE sql STABLE AS
	$$ SELECT id FROM vera.search('books', (SELECT b.embedding FROM vera.search('books', q, 1) s JOIN books b USING (id)), 1) $$;
ALTER TABLE books ADD COLUMN inner_text text;
CREATE POLICY nested ON books USING (nearest_to_nearest('[1,0,0]') IS NOT NULL);
SELECT nearest_to_nearest('[0.1,1,0]');
DROP POLICY nested ON books;
DROP FUNCTION nearest_to_nearest;
CREATE INDEX ON books USING veraflat (embedding, key_tenant, key_year);

-- several vectors
SELECT query, id FROM vera.search_batch('books', ARRAY['[1,0,0]', '[0,1,0]']::veravec[], 2, '{"tenant": {"$in": ["x", "y"]}}');
SELECT count(*) FROM vera.search_batch('books', '{}');
SELECT query, id FROM vera.search_batch('books', '[0:1]={"[1,0,0]","[0,1,0]"}', 1);
SELECT query, id FROM vera.search_batch('books', ARRAY[['[1,0,0]'], ['[0,1,0]']]::veravec[], 1);
-- more conditions than a plan is kept for
SELECT count(*) FROM vera.search('books', '[1,0,0]', filter => (SELECT jsonb_build_object('$or', jsonb_agg(jsonb_build_object('tenant', 't' || i))) FROM generate_series(1, 2000) i));

-- scores: more is nearer
SELECT vera.create_collection('far', 2, 'l2'), vera.create_collection('near', 2, 'l1'), vera.create_collection('inner', 2, 'ip');
SELECT vera.add_documents(name, '[{"id": "a", "embedding": [3, 4]}, {"id": "b", "embedding": [0, 1]}, {"id": "c", "embedding": [0, 0]}]')
FROM (VALUES ('far'), ('near'), ('inner')) c (name);
SELECT name, s.id, s.distance, s.score FROM (VALUES ('far'), ('near'), ('inner')) c (name), vera.search(name, '[0,1]') s;
SELECT name, s.id FROM (VALUES ('far', 1.0), ('far', 0), ('far', -1), ('far', 1e-310), ('near', 0.1), ('inner', 1)) c (name, least),
	vera.search(name, '[0,1]', min_score => least) s;

-- groups
SELECT group_value, id FROM vera.search_groups('books', '[0,1,0]', 'tenant', 3, 2);
SELECT group_value, id FROM vera.search_groups('books', '[0,1,0]', 'by.name', filter => '{"tenant": "x"}');
SELECT group_value, id FROM vera.search_groups('books', '[0,1,0]', 'open', max_distance => 0.5);
SELECT vera.add_documents('books', array_agg('n' || i), NULL, array_agg(('[' || i || ',1,1]')::veravec),
	array_agg(jsonb_build_object('tenant', 't' || i % 100, 'lang', 'l' || i % 500))) FROM generate_series(1, 3000) i;
ANALYZE books;
SELECT count(*), count(DISTINCT group_value) FROM vera.search_groups('books', '[0,1,0]', 'tenant', 1000, 3);
-- as by a window function
SELECT count(*) FROM (
	SELECT group_value, distance FROM vera.search_groups('books', '[0,1,0]', 'tenant', 1000, 2)
	EXCEPT SELECT metadata -> 'tenant', distance FROM (
		SELECT metadata, embedding <=> '[0,1,0]' AS distance,
			row_number() OVER (PARTITION BY metadata -> 'tenant' ORDER BY embedding <=> '[0,1,0]') AS n
		FROM books WHERE metadata ? 'tenant' AND embedding IS NOT NULL) w WHERE n <= 2) difference;
SELECT count(*) FROM (
	SELECT group_value FROM vera.search_groups('books', '[0,1,0]', 'tenant', 30)
	EXCEPT SELECT g FROM (SELECT metadata -> 'tenant' AS g FROM books WHERE metadata ? 'tenant' AND embedding IS NOT NULL
		GROUP BY 1 ORDER BY min(embedding <=> '[0,1,0]') LIMIT 30) w) difference;

-- diversity
SELECT vera.create_collection('circle', 2);
SELECT * FROM vera.search_mmr('circle', '[1,0]');
SELECT vera.add_documents('circle', array_agg(i::text), array_agg(CASE WHEN i % 3 = 0 THEN 'red apple' ELSE 'green pear' END),
	array_agg(ARRAY[cos(i / 10.0), sin(i / 10.0)]::veravec)) FROM generate_series(0, 30) i;
SELECT vera.add_documents('circle', '[{"id": "zero", "content": "apple", "embedding": [0, 0]}]');
SELECT id, round(mmr::numeric, 4) AS mmr FROM vera.search_mmr('circle', '[1,0]', 4, 0.5, 31);
SELECT id FROM vera.search_mmr('circle', '[1,0]', 3, 1);
SELECT id FROM vera.search_mmr('circle', '[1,0]', 3, 0, 32);
SELECT count(*) FROM vera.search_mmr('circle', '[1,0]', 100);
SELECT vera.create_collection('twins', 3);
SELECT vera.add_documents('twins', '[{"id": "a", "embedding": [1, 0.1, 0]}, {"id": "its twin", "embedding": [1, 0.11, 0]}, {"id": "another", "embedding": [1, 0, 0.5]}]');
SELECT s.id, m.id AS mmr FROM vera.search('twins', '[1,0,0]', 2) WITH ORDINALITY s (id, content, metadata, created_at, distance, score, n)
JOIN vera.search_mmr('twins', '[1,0,0]', 2) WITH ORDINALITY m (id, content, metadata, created_at, distance, score, mmr, n) USING (n);

-- examples
SELECT array_agg(id ORDER BY id) FROM vera.recommend('circle', ARRAY['3'], k => 2);
SELECT array_agg(id ORDER BY id) FROM vera.recommend('circle', ARRAY['3'], ARRAY['1'], k => 2);
SELECT id, round(score::numeric, 4) AS score FROM vera.recommend('circle', ARRAY['3', '4'], ARRAY['30'], k => 2, strategy => 'best_score') ORDER BY id;
SELECT id, round(score::numeric, 4) AS score FROM vera.recommend('circle', NULL, ARRAY['0'], k => 2, strategy => 'best_score');
SELECT count(*) FROM vera.recommend('circle', ARRAY['3'], k => 100, strategy => 'best_score');
SELECT id FROM vera.recommend('circle', positive => ARRAY['[1,0]', '[0,1]']::veravec[], k => 1);
SELECT id FROM vera.recommend('circle', ARRAY['3'], k => 1, where_document => '{"$contains": "red"}');
-- columns and collections of any name
SELECT vera.create_collection('b', 2);
ALTER TABLE b ADD n int, ADD p int, ADD s int, ADD e int, ADD i int, ADD t int, ADD distance int, ADD score int, ADD rank int, ADD text_rank int;
SELECT vera.add_documents('b', '[{"id": "1", "content": "one", "embedding": [1, 0]}, {"id": "2", "content": "two", "embedding": [1, 1]}]');
SELECT id FROM vera.search('b', '[1,0]', min_score => 0.9);
SELECT id FROM vera.search_mmr('b', '[1,0]');
SELECT id FROM vera.recommend('b', ARRAY['1']);
SELECT id FROM vera.recommend('b', ARRAY['1'], strategy => 'best_score');
SELECT id FROM vera.recommend('b', ARRAY[['1']], ARRAY['2'], positive => ARRAY[['[1,0]']]::veravec[]);
SELECT id FROM vera.hybrid_search('b', '[1,0]', 'two', language => 'simple');
SELECT id FROM vera.get_documents('b', order_by => 'created_at');

-- text and vector
SELECT id, round(score::numeric, 6) AS score FROM vera.hybrid_search('circle', '[1,0]', 'apples', 4, language => 'english');
SELECT id, text_rank IS NOT NULL AS matching, round(score::numeric, 4) AS score
FROM vera.hybrid_search('circle', '[1,0]', 'apples', 3, 'weighted', vector_weight => 0.7, language => 'english');
SELECT id, distance FROM vera.hybrid_search('circle', '[1,0]', 'apples', 100, 'weighted', vector_weight => 0, language => 'english') WHERE id = 'zero';
SELECT count(*) FROM vera.hybrid_search('circle', '[1,0]', 'nothing of that', 5, language => 'english');

SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT vera.search_groups('books', '[0,1,0]', 'tenant', 0)$$,
	$$SELECT vera.search_groups('books', '[0,1,0]', 'tenant', 1, NULL)$$,
	$$SELECT vera.search_groups('books', '[0,1,0]', NULL)$$,
	$$SELECT vera.search_groups('books', '[0,1,0]', 'a..b')$$,
	$$SELECT vera.search_groups('books', '[0,1]', 'tenant')$$,
	$$SELECT vera.search_groups('books', '[0,1,0]', 'tenant', filter => '{"year": {"$above": 1}}')$$,
	$$SELECT vera.search_mmr('circle', '[1,0]', lambda => 2)$$,
	$$SELECT vera.search_mmr('circle', '[1,0]', lambda => NULL)$$,
	$$SELECT vera.search_mmr('circle', '[1,0]', k => 5, candidates => 4)$$,
	$$SELECT vera.search_mmr('circle', '[1,0]', k => 0)$$,
	$$SELECT vera.recommend('circle', ARRAY['nobody'])$$,
	$$SELECT vera.recommend('circle', ARRAY['3', NULL])$$,
	$$SELECT vera.recommend('circle', ARRAY['3'], ARRAY[NULL]::text[])$$,
	$$SELECT vera.recommend('circle')$$,
	$$SELECT vera.recommend('circle', NULL, ARRAY['3'])$$,
	$$SELECT vera.recommend('circle', ARRAY['3'], strategy => 'sum')$$,
	$$SELECT vera.recommend('circle', positive => ARRAY['[1]']::veravec[])$$,
	$$SELECT vera.hybrid_search('circle', '[1,0]', 'apples', strategy => 'sum')$$,
	$$SELECT vera.hybrid_search('circle', '[1,0]', 'apples', rrf_k => 0)$$,
	$$SELECT vera.hybrid_search('circle', '[1,0]', 'apples', vector_weight => 1.5)$$,
	$$SELECT vera.hybrid_search('circle', '[1,0]', NULL)$$,
	$$SELECT vera.hybrid_search('circle', '[1,0]', 'apples', candidates => 1)$$
]) AS statement, error_of(statement) AS e;

SELECT vera.delete_collection(name) FROM vera.list_collections() ORDER BY name;
