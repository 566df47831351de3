-- What both types must still do when both are there. The output is compared with beside_pgvector.out.
CREATE TABLE items (id int, ours veravec(3), theirs vector(3));
INSERT INTO items VALUES (1, '[1,2,3]', '[1,2,3]'), (2, '[4,5,6]', '[4,5,6]'), (3, '[0,1,0]', '[0,1,0]');
-- bare literals take the type of the other side
SELECT id FROM items ORDER BY ours <-> '[0,1,1]';
SELECT id FROM items ORDER BY theirs <-> '[0,1,1]';
SELECT id FROM items ORDER BY ours <=> '[4,5,5]';
SELECT id FROM items ORDER BY theirs <=> '[4,5,5]';
SELECT ours <#> '[1,1,1]', theirs <#> '[1,1,1]', ours <+> '[1,1,1]', theirs <+> '[1,1,1]' FROM items WHERE id = 1;
SELECT ours + '[1,1,1]', theirs + '[1,1,1]', ours * '[2,2,2]', theirs * '[2,2,2]', 2 * ours FROM items WHERE id = 1;
SELECT l2_distance(ours, '[1,2,3]'), l2_distance(theirs, '[1,2,3]'), inner_product(ours, ours), inner_product(theirs, theirs),
	cosine_distance(ours, ours), cosine_distance(theirs, theirs), l1_distance(ours, '[1,2,4]'), l1_distance(theirs, '[1,2,4]') FROM items WHERE id = 1;
SELECT vector_dims(ours), vector_dims(theirs), vector_norm(ours) = vector_norm(theirs), l2_normalize('[3,4]'::veravec), l2_normalize('[3,4]'::vector),
	binary_quantize(ours), binary_quantize(theirs), subvector(ours, 1, 2), subvector(theirs, 1, 2) FROM items WHERE id = 1;
SELECT avg(ours), avg(theirs), sum(ours), sum(theirs) FROM items;
SELECT ARRAY[1,2]::veravec, ARRAY[1,2]::vector, '[1,2]'::veravec::real[], '[1,2]'::vector::real[];
SELECT count(*) FROM items WHERE ours = '[1,2,3]' AND theirs = '[1,2,3]' AND ours < '[2]' AND theirs < '[2]';
SELECT id FROM items ORDER BY ours;
SELECT id FROM items ORDER BY theirs;
-- one in the form of the other, through text and through the binary form
SELECT ours::text::vector = theirs, theirs::text::veravec = ours FROM items ORDER BY id;
SELECT veravec_send(ours) = vector_send(theirs), pg_column_size(ours) = pg_column_size(theirs) FROM items ORDER BY id;
-- a table of pgvector's becomes a collection of the document store, as docs/document-store.md says
CREATE TABLE books (id bigserial PRIMARY KEY, content text, embedding vector(3));
INSERT INTO books (content, embedding) VALUES ('one', '[1,0,0]'), ('two', '[0,1,0]'), ('three', NULL);
SELECT vera.create_collection('copied', 3);
INSERT INTO copied (id, content, embedding) SELECT id::text, content, embedding::real[]::veravec FROM books;
SELECT id, content, score FROM vera.search('copied', '[1,0,0]');
ALTER TABLE books ALTER id DROP DEFAULT, ALTER id TYPE text, ALTER embedding TYPE veravec(3) USING embedding::real[]::veravec(3),
	ADD IF NOT EXISTS metadata jsonb NOT NULL DEFAULT '{}', ADD IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now();
SELECT vera.adopt_table('books');
SELECT vera.add_documents('books', '[{"id": "2", "content": "two again", "embedding": [0, 0, 1]}, {"content": "four", "embedding": [1, 1, 1]}]');
SELECT content, round(score::numeric, 4) FROM vera.search('books', '[0,0,1]', 2);
SELECT vera.delete_collection('books'), vera.delete_collection('copied');
-- each can go without the other
DROP TABLE items;
DROP EXTENSION vera_vec;
SELECT '[1,2]'::vector <-> '[1,3]';
CREATE EXTENSION vera_vec;
SELECT '[1,2]'::veravec <-> '[1,3]';
