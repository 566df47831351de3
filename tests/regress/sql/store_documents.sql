-- The document store: documents added, got, changed and deleted.
\pset null ''
SELECT vera.create_collection('books', 3, key_fields => ARRAY['tenant', 'year numeric', 'open boolean', 'by.name']);

-- ids are made up where they are missing, and documents whose ids are there are replaced
SELECT * FROM vera.add_documents('books', '[
	{"id": "a", "content": "An apple a day", "embedding": [1, 0, 0], "metadata": {"tenant": "x", "year": 1999, "by": {"name": "Ada"}}},
	{"id": "b", "content": "Pears", "embedding": [0.8, 0.6, 0], "metadata": {"tenant": "y", "year": 2005.5, "open": true}},
	{"id": "c", "content": "A pear and an apple", "embedding": [0, 1, 0], "metadata": {"tenant": "x", "open": false, "tags": ["p", "q"]}, "created_at": "2020-02-02T00:00:00Z"},
	{"id": "d", "content": "no embedding"},
	{"id": "e", "embedding": [0, 0, 0], "metadata": null, "content": null, "created_at": null}
]');
SELECT * FROM vera.add_documents('books', '[{"content": "no id", "embedding": [0, 0, 1]}, {"id": null}]');
SELECT id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' AS uuid, content, embedding, metadata
FROM books WHERE length(id) > 1 ORDER BY content;
SELECT vera.delete_documents('books', filter => '{"tenant": {"$exists": false}}', where_document => '{"$contains": "no id"}'),
	vera.delete_documents('books', (SELECT array_agg(id) FROM books WHERE length(id) = 36));
SELECT * FROM vera.add_documents('books', ARRAY['a', 'f', NULL], ARRAY['Apples', NULL, 'x'], ARRAY['[1,0,0]', '[0,0,1]', NULL]::veravec[],
	ARRAY['{"tenant": "x", "year": 2000, "by": {"name": "Ada"}}', NULL, 'null']::jsonb[], ARRAY[NULL, '2021-01-01 00:00+00', NULL]::timestamptz[]);
SELECT id, content, embedding, metadata, created_at = '2021-01-01 00:00+00' AS given FROM vera.get_documents('books', ARRAY['a', 'f']);
SELECT vera.delete_documents('books', where_document => '{"$contains": "x"}');
SELECT * FROM vera.add_documents('books', '[]');
SELECT * FROM vera.add_documents('books', '{}', '{}', '{}'::veravec[]);
-- its own keys are kept with it
SELECT id, key_tenant, key_year, key_open, "key_by.name" FROM books ORDER BY id;
-- what every other client of the table does, it sees as well
INSERT INTO books (id, content, embedding) VALUES ('g', 'by INSERT', '[0,0.6,0.8]');
COPY books (id, content, embedding, metadata) FROM STDIN;
h	by COPY	[0,0.8,0.6]	{"tenant": "z"}
\.
SELECT id, content, metadata FROM vera.get_documents('books', filter => '{"tenant": "z"}');
SELECT vera.delete_documents('books', ARRAY['g', 'h', 'nobody']);

-- what is wrong is said, and nothing is added
SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT vera.add_documents('books', '{}')$$,
	$$SELECT vera.add_documents('books', NULL)$$,
	$$SELECT vera.add_documents('books', '[{"id": "g"}, 7]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g"}, {"id": 7}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g"}, {"id": ""}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g", "embeddings": [1, 2, 3]}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g"}, {"id": "h", "embedding": [1, 2]}]')$$,
	$$SELECT vera.add_documents('books', '[{"embedding": [1, 2]}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g", "embedding": [1, "2", 3]}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g", "embedding": [[1, 2, 3]]}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g", "embedding": "[1,2,3]"}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g", "embedding": []}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g", "embedding": [1, 2, 1e39]}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g", "content": {}}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g", "metadata": []}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g", "created_at": 1}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g", "created_at": "one day"}]')$$,
	$$SELECT vera.add_documents('books', '[{"id": "g"}, {"id": "g"}]')$$,
	$$SELECT vera.add_documents('books', NULL, NULL, NULL)$$,
	$$SELECT vera.add_documents('books', ARRAY['g', 'h'], NULL, ARRAY['[1,2,3]']::veravec[])$$,
	$$SELECT vera.add_documents('books', ARRAY['g'], ARRAY['x', 'y'], NULL)$$,
	$$SELECT vera.add_documents('books', ARRAY['g'], NULL, NULL, '{}')$$,
	$$SELECT vera.add_documents('books', ARRAY['g', NULL, ''], NULL, NULL)$$,
	$$SELECT vera.add_documents('books', ARRAY['g', NULL], NULL, ARRAY['[1,2,3]', '[1]']::veravec[])$$,
	$$SELECT vera.add_documents('books', ARRAY[['g', 'h'], ['', 'i']], NULL, NULL)$$,
	$$SELECT vera.add_documents('books', '[5:6]={g,h}', NULL, '[7:8]={"[1,2,3]","[1]"}'::veravec[])$$,
	$$SELECT vera.add_documents('books', ARRAY['g'], NULL, NULL, ARRAY['[]']::jsonb[])$$,
	$$SELECT vera.add_documents('books', ARRAY['g', 'h', 'g'], NULL, NULL)$$,
	$$SELECT vera.add_documents('nothing', '[]')$$,
	$$SELECT vera.add_documents('', '[]')$$,
	$$SELECT vera.add_documents(NULL, '[]')$$,
	$$SELECT vera.add_documents('nothing', '{}', NULL, NULL)$$,
	$$SELECT vera.get_document('books', '')$$,
	$$SELECT vera.get_document('books', NULL)$$,
	$$SELECT vera.get_documents('books', order_by => 'id; DROP TABLE books')$$,
	$$SELECT vera.get_documents('books', order_by => NULL)$$,
	$$SELECT vera.get_documents('books', max_documents => -1)$$,
	$$SELECT vera.get_documents('books', skip => -1)$$,
	$$SELECT vera.count('nothing')$$,
	$$SELECT vera.update_metadata('books', ARRAY['a'], '[]')$$,
	$$SELECT vera.update_metadata('books', ARRAY['a'], NULL)$$,
	$$SELECT vera.update_metadata('books', NULL, '{}')$$,
	$$SELECT vera.delete_documents('books')$$,
	$$SELECT vera.delete_documents('books', filter => '{}')$$,
	$$SELECT vera.delete_documents('books', filter => '{"must": []}')$$,
	$$SELECT vera.delete_documents('books', filter => '{"$and": [{}, {"should": []}]}', where_document => '{"$and": [{}]}')$$,
	$$SELECT vera.delete_documents('books', everything => NULL)$$
]) AS statement, error_of(statement) AS e;
SELECT vera.count('books');

-- got
SELECT id FROM vera.get_documents('books');
SELECT id, content FROM vera.get_document('books', 'a');
SELECT * FROM vera.get_document('books', 'nobody');
SELECT id FROM vera.get_documents('books', ARRAY['a', 'c', 'z'], '{"tenant": "x"}', '{"$contains": "Apple"}');
SELECT id FROM vera.get_documents('books', ARRAY[]::text[]);
SELECT id, metadata -> 'year' AS year FROM vera.get_documents('books', order_by => 'metadata.year', max_documents => 2, skip => 1);
SELECT id FROM vera.get_documents('books', order_by => 'metadata.by.name', max_documents => 1);
SELECT id FROM vera.get_documents('books', order_by => 'created_at', max_documents => 1);
-- what does not have the field comes last, and elements of arrays are no fields
SELECT id FROM vera.get_documents('books', order_by => 'metadata.year', descending => true, max_documents => 1);
SELECT vera.update_metadata('books', ARRAY['f'], '{"a.b": 1, "tags": ["z"]}');
SELECT id FROM vera.get_documents('books', order_by => 'metadata.a\.b', max_documents => 1);
SELECT id FROM vera.get_documents('books', order_by => 'metadata.tags.0', descending => true, max_documents => 1);
SELECT vera.update_metadata('books', ARRAY['f'], '{"a.b": null, "tags": null}');
SELECT id FROM vera.get_documents('books', order_by => 'id', descending => true, max_documents => 1);
SELECT id FROM vera.get_documents('books', max_documents => 0);
SELECT vera.count('books', '{"year": {"$gt": 2000}}'), vera.count('books', where_document => '{"$regex": "^A"}'), vera.count('books', '{}');

-- metadata
SELECT vera.update_metadata('books', ARRAY['a', 'z'], '{"year": null, "lang": "en"}');
SELECT metadata FROM vera.get_document('books', 'a');
SELECT vera.update_metadata('books', ARRAY['a'], '{"tenant": "x", "year": 2000}', replace => true);
SELECT metadata, key_tenant, key_year FROM books WHERE id = 'a';
-- a table that was adopted may have metadata that are none
ALTER TABLE books DROP CONSTRAINT books_metadata_check, ALTER metadata DROP NOT NULL;
INSERT INTO books (id, metadata) VALUES ('none', NULL), ('array', '[1]');
SELECT vera.update_metadata('books', ARRAY['none', 'array'], '{"a": 1}');
SELECT id, metadata FROM books WHERE id IN ('none', 'array') ORDER BY id;
SELECT vera.delete_documents('books', ARRAY['none', 'array']);

-- a filter as a condition of one's own
SELECT id, vera.match(metadata, '{"tenant": "x"}') FROM books ORDER BY id;
SELECT e.* FROM error_of($$SELECT vera.match(metadata, '{"$and": [{"year": {"$above": 1}}]}') FROM books$$) e;
SELECT e.* FROM error_of(format('SELECT vera.match(%L, %L)', '{}', repeat('{"$not":', 1000) || '{}' || repeat('}', 1000))) e;
SELECT e.* FROM error_of(format('SELECT vera.match(%L, %L)', '{}', repeat('{"$not":', 40) || '{}' || repeat('}', 40))) e;
SELECT e.* FROM error_of(format('SELECT vera.match(%L, %L)', repeat('{"a":', 1000) || '{}' || repeat('}', 1000), '{"a": 1}')) e;
SELECT vera.match('{"a": 1}', NULL), vera.match(NULL, '{"a": 1}'), vera.match('[]', '{"a": 1}'), vera.match('[]', '{}');

-- deleted
SELECT vera.delete_documents('books', filter => '{"tenant": {"$in": []}}'), vera.delete_documents('books', filter => '{"$not": {"must": []}}');
SELECT vera.delete_documents('books', ARRAY['a', 'z']), vera.delete_documents('books', ARRAY[]::text[]);
SELECT vera.delete_documents('books', ARRAY['b', 'c'], '{"tenant": "x"}');
SELECT vera.delete_documents('books', everything => true);
SELECT vera.count('books'), vera.delete_collection('books');
