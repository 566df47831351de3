-- The document store: collections, and whose they are.
\pset null ''

-- made
SELECT vera.create_collection('books', 3, key_fields => ARRAY['tenant', 'year numeric', 'open boolean', 'by.name']);
\d books
SELECT vera.create_collection('books', 3, if_not_exists => true);
SELECT vera.create_collection('books', 3, key_fields => ARRAY['tenant', 'year numeric', 'open boolean', 'by.name'], if_not_exists => true);
SELECT vera.create_collection('O''Reilly "x"; DROP TABLE books', 2, 'dot');
CREATE SCHEMA shelf;
SELECT vera.create_collection('far', 2, 'euclidean', ARRAY['embedding'], schema => 'shelf'),
	vera.create_collection('near', 2, 'taxicab', ARRAY['embedding'], schema => 'shelf');
SET search_path = shelf, public;
SELECT vera.create_collection('here', 2);
RESET search_path;
SELECT indexdef FROM pg_indexes WHERE schemaname = 'shelf' AND indexdef ~ 'veraflat' ORDER BY indexdef;
SELECT name, dimension, metric, documents, bytes > 0 AS bytes FROM vera.list_collections();
SELECT relation, dimension, metric, key_fields, documents, bytes > index_bytes AS bytes FROM vera.collection_info('books');

-- what cannot be
CREATE TABLE taken ();
SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT vera.create_collection('books', 3)$$,
	$$SELECT vera.create_collection('books', 4, if_not_exists => true)$$,
	$$SELECT vera.create_collection('books', 3, 'l2', if_not_exists => true)$$,
	$$SELECT vera.create_collection('books', 3, key_fields => ARRAY['tenant'], if_not_exists => true)$$,
	$$SELECT vera.create_collection('books', 3, if_not_exists => true, schema => 'shelf')$$,
	$$SELECT vera.create_collection('a', 3, schema => 'pg_temp')$$,
	$$SELECT vera.create_collection('', 3)$$,
	$$SELECT vera.create_collection(NULL, 3)$$,
	$$SELECT vera.create_collection(repeat('ü', 32), 3)$$,
	$$SELECT vera.create_collection('a', 0)$$,
	$$SELECT vera.create_collection('a', NULL)$$,
	$$SELECT vera.create_collection('a', 16001)$$,
	$$SELECT vera.create_collection('a', 3, 'hamming')$$,
	$$SELECT vera.create_collection('a', 3, NULL)$$,
	$$SELECT vera.create_collection('a', 3, key_fields => ARRAY['a..b'])$$,
	$$SELECT vera.create_collection('a', 3, key_fields => ARRAY['x', 'x numeric'])$$,
	$$SELECT vera.create_collection('a', 3, key_fields => ARRAY[repeat('x', 60)])$$,
	$$SELECT vera.create_collection('a', 3, key_fields => ARRAY[NULL])$$,
	$$SELECT vera.create_collection('a', 3, key_fields => array_agg('f' || i)) FROM generate_series(1, 40) i$$,
	$$SELECT vera.create_collection('a', 3, schema => 'nowhere')$$,
	$$SELECT vera.create_collection('a', 3, schema => NULL)$$,
	$$SELECT vera.create_collection('taken', 3)$$,
	$$SELECT vera.collection_info('nothing')$$,
	$$SELECT vera.collection_info('')$$,
	$$SELECT vera.delete_collection('nothing')$$,
	$$SELECT vera.delete_collection('')$$,
	$$SELECT vera.delete_collection('', if_exists => true)$$,
	$$SELECT vera.rename_collection('nothing', 'something')$$,
	$$SELECT vera.rename_collection('here', 'books')$$,
	$$SELECT vera.rename_collection('books', 'taken')$$,
	$$SELECT vera.rename_collection('here', '')$$
]) AS statement, error_of(statement) AS e;
DROP TABLE taken;
SELECT vera.delete_collection('nothing', if_exists => true);

-- renamed, moved and dropped, by these functions and without them
SELECT vera.rename_collection('O''Reilly "x"; DROP TABLE books', 'Oh');
SELECT vera.add_documents('Oh', '[{"id": "a", "embedding": [3, 4]}, {"id": "b", "embedding": [0, 1]}]');
ALTER TABLE "Oh" RENAME TO ah;
ALTER TABLE ah SET SCHEMA shelf;
SELECT id FROM vera.search('Oh', '[0,1]');
SELECT vera.rename_collection('Oh', 'ah');
SELECT id FROM vera.search('ah', '[0,1]');
DROP TABLE shelf.ah;
SELECT e.* FROM error_of($$SELECT vera.search('ah', '[0,1]')$$) e;
SELECT name, documents, bytes IS NULL AS gone FROM vera.list_collections();
SELECT e.* FROM error_of($$SELECT vera.create_collection('ah', 2)$$) e;
SELECT vera.delete_collection('ah');
SELECT vera.delete_collection('here');
SELECT count(*) FROM pg_class WHERE relname = 'here';
-- all of it or nothing
BEGIN;
SELECT vera.create_collection('gone', 2);
ROLLBACK;
SELECT count(*) FROM vera.collections WHERE name = 'gone';

-- a table that is there becomes one
CREATE TABLE papers (id bigint PRIMARY KEY, embedding veravec, title text DEFAULT 'untitled');
INSERT INTO papers VALUES (1, '[1,0]', 'One'), (2, '[0,1]', 'Two');
SELECT e.* FROM error_of($$SELECT vera.adopt_table('papers')$$) e;
ALTER TABLE papers ALTER id TYPE text;
SELECT e.* FROM error_of($$SELECT vera.adopt_table('papers')$$) e;
ALTER TABLE papers ADD content text, ADD metadata jsonb DEFAULT '{}';
UPDATE papers SET content = title, metadata = jsonb_build_object('n', id::int);
SELECT e.* FROM error_of($$SELECT vera.adopt_table('papers')$$) e;
ALTER TABLE papers ALTER embedding TYPE veravec(2);
SELECT e.* FROM error_of($$SELECT vera.adopt_table('papers')$$) e;
ALTER TABLE papers ADD created_at timestamptz DEFAULT now(), DROP CONSTRAINT papers_pkey;
SELECT e.* FROM error_of($$SELECT vera.adopt_table('papers')$$) e;
ALTER TABLE papers ADD PRIMARY KEY (id);
CREATE VIEW viewed AS SELECT * FROM papers;
SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT vera.adopt_table('viewed')$$,
	$$SELECT vera.adopt_table('nothing')$$,
	$$SELECT vera.adopt_table(NULL)$$,
	$$SELECT vera.adopt_table(1::oid)$$,
	$$SELECT vera.adopt_table('papers', 'books')$$,
	$$SELECT vera.adopt_table('papers', metric => 'x')$$
]) AS statement, error_of(statement) AS e;
DROP VIEW viewed;
SET quote_all_identifiers = on;
SELECT vera.adopt_table('papers', 'read', 'l2', ARRAY['n numeric']);
RESET quote_all_identifiers;
SELECT e.* FROM error_of($$SELECT vera.adopt_table('papers', 'again')$$) e;
SELECT vera.add_documents('read', '[{"id": "2", "content": "2nd", "embedding": [0, 2], "metadata": {"n": 2}}, {"id": "3", "embedding": [0, 3], "metadata": {"n": 3}}]');
SELECT id, content, title, distance FROM vera.search('read', '[0,1]', filter => '{"n": {"$gt": 1}}') JOIN papers USING (id, content);
SELECT id, title, key_n FROM papers ORDER BY id;
SELECT vera.delete_collection('read');

-- rights are those of who calls
SELECT vera.add_documents('books', '[{"id": "a", "embedding": [1, 0, 0], "metadata": {"tenant": "x"}},
	{"id": "b", "embedding": [0.9, 0, 0.1], "metadata": {"tenant": "y"}}, {"id": "c", "embedding": [0, 1, 0], "metadata": {"tenant": "x"}}]');
CREATE ROLE store_reader;
CREATE ROLE store_owner;
GRANT CREATE, USAGE ON SCHEMA shelf TO store_owner;
GRANT SELECT ON books, shelf.near TO store_reader;
CREATE TABLE plain (LIKE books INCLUDING ALL EXCLUDING GENERATED);
ALTER TABLE books ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON books FOR SELECT TO store_reader USING (key_tenant = 'x');
SET ROLE store_reader;
SELECT id FROM vera.search('books', '[1,0,0]');
SELECT id FROM vera.search('books', '[1,0,0]', filter => '{"tenant": "y"}');
SELECT vera.count('books');
SELECT group_value, id FROM vera.search_groups('books', '[1,0,0]', 'tenant');
SELECT name, documents FROM vera.list_collections();
SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT vera.add_documents('books', '[{"id": "g"}]')$$,
	$$SELECT vera.delete_documents('books', ARRAY['a'])$$,
	$$SELECT vera.update_metadata('books', ARRAY['a'], '{}')$$,
	$$SELECT vera.search('far', '[1,0]')$$,
	$$SELECT vera.search('near', '[1,0]')$$,
	$$SELECT vera.create_collection('mine', 2, schema => 'shelf')$$,
	$$SELECT vera.delete_collection('books')$$,
	$$SELECT vera.rename_collection('books', 'mine')$$,
	$$DELETE FROM vera.collections$$,
	$$UPDATE vera.collections SET metric = 'l2'$$,
	$$INSERT INTO vera.collections VALUES ('mine', 'books', 3, 'cosine')$$,
	$$TRUNCATE vera.collections$$,
	$$SELECT vera.adopt_table('plain', 'mine')$$
]) AS statement, error_of(statement) AS e;
RESET ROLE;
DROP TABLE plain;
SET ROLE store_owner;
SELECT vera.create_collection('own', 2, schema => 'shelf');
SELECT vera.add_documents('own', '[{"embedding": [1, 2]}]');
SELECT vera.rename_collection('own', 'my own');
SELECT vera.delete_collection('my own');

-- to list collections runs nothing of what others have made: neither views nor policies nor constant expressions of indexes
SELECT vera.create_collection('bait', 2, schema => 'shelf'), vera.add_documents('bait', '[{"id": "a"}, {"id": "b"}]');
CREATE FUNCTION shelf.trap() RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'store_owner' THEN RAISE 'a trap'; END IF;
	RETURN true;
END $$;
CREATE INDEX ON shelf.bait ((shelf.trap()));
CREATE VIEW shelf.viewed AS SELECT shelf.trap();
SELECT statement, e.state, e.detail FROM unnest(ARRAY[
	$$INSERT INTO vera.collections VALUES ('viewed', 'shelf.viewed', 2, 'l2')$$,
	$$UPDATE vera.collections SET relation = 'shelf.viewed' WHERE name = 'bait'$$,
	$$INSERT INTO vera.collections SELECT 'toast', reltoastrelid, 2, 'l2' FROM pg_class WHERE oid = 'shelf.bait'::regclass$$
]) AS statement, error_of(statement) AS e;
RESET ROLE;
SELECT e.* FROM error_of('SELECT count(*) FROM shelf.bait') e;
SELECT name, documents FROM vera.list_collections() WHERE name = 'bait';
GRANT ALL ON SCHEMA shelf TO store_reader;
GRANT SELECT ON shelf.bait TO store_reader;
SET ROLE store_reader;
SELECT name, documents FROM vera.list_collections() WHERE name = 'bait';
SET ROLE store_owner;
CREATE POLICY trap ON shelf.bait USING (shelf.trap());
ALTER TABLE shelf.bait ENABLE ROW LEVEL SECURITY;
SET ROLE store_reader;
SELECT name, documents FROM vera.list_collections() WHERE name = 'bait';
SET ROLE store_owner;
SELECT name, documents FROM vera.list_collections() WHERE name = 'bait';
SELECT vera.delete_collection('bait');
RESET ROLE;

-- objects of others are not found, however well they fit
CREATE FUNCTION public.format(text, text, regclass, text, text, bigint, bigint, text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN RAISE 'a trap'; END $$;
CREATE FUNCTION public.octet_length(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trap'; END $$;
CREATE FUNCTION public.trap(text, veravec) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trap'; END $$;
CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = veravec, FUNCTION = public.trap);
SET search_path = public, pg_catalog;
SELECT id FROM vera.search('books', '[1,0,0]', 2, '{"tenant": "x"}', '{"$not_contains": "z"}', 1, 0.1);
SELECT vera.create_collection('trap', 2);
SELECT vera.delete_collection('trap');
RESET search_path;
DROP OPERATOR public.= (text, veravec);
DROP FUNCTION public.trap(text, veravec), public.octet_length(text), public.format(text, text, regclass, text, text, bigint, bigint, text);

-- the extension does not go while there are collections; with CASCADE the tables stay, without their embeddings
SELECT e.* FROM error_of('DROP EXTENSION vera_vec') e;
BEGIN;
SET LOCAL client_min_messages = error;
DROP EXTENSION vera_vec CASCADE;
SELECT id, metadata FROM books ORDER BY id;
ROLLBACK;

SELECT vera.delete_collection(name) FROM vera.list_collections() ORDER BY name;
DROP SCHEMA shelf CASCADE;
DROP ROLE store_reader;
DROP ROLE store_owner;

-- text in another encoding than JSON's
\set SHOW_CONTEXT never
CREATE DATABASE store_latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C';
\c store_latin
SET client_encoding = UTF8;
CREATE EXTENSION vera_vec;
SELECT vera.create_collection('a', 2);
SELECT vera.match('{"a": "é"}', '{"a": "é"}');
SELECT vera.match('{"a": "e"}', '{"a": "e"}');
\c postgres
DROP DATABASE store_latin;
