-- The document store over the same texts: what a program would call.

\echo 'A collection of the document store, from the same texts:\n'
SELECT vera.create_collection('texts', 384, key_fields => ARRAY['topic']);
SELECT a.* FROM
    (SELECT array_agg(id::text) AS ids, array_agg(content) AS contents, array_agg(embedding) AS embeddings, array_agg(metadata) AS metadatas FROM documents) AS d,
    vera.add_documents('texts', d.ids, d.contents, d.embeddings, d.metadatas) AS a;
ANALYZE texts;

\echo 'Search, with a filter on metadata and one on the text:\n'
SELECT id, round(score::numeric, 3) AS score, content
FROM vera.search('texts', (SELECT embedding FROM queries WHERE sentence = 'a hot drink made from roasted beans'), k => 4,
    filter => '{"topic": {"$in": ["food", "plant"]}, "lemmas": {"$exists": true}}', where_document => '{"$not_contains": "coffee"}');

\echo 'The nearest text of each of the nearest topics:\n'
SELECT group_value AS topic, round(score::numeric, 3) AS score, content
FROM vera.search_groups('texts', (SELECT embedding FROM queries WHERE sentence = 'a bird that cannot fly'), 'topic', groups => 3);

\echo 'Words and meaning together:\n'
SELECT round(score::numeric, 4) AS score, content
FROM vera.hybrid_search('texts', (SELECT embedding FROM queries WHERE sentence = 'a mountain in South America'), 'volcano', k => 3, language => 'english');

\echo 'Like one text, unlike another:\n'
SELECT round(score::numeric, 3) AS score, content
FROM vera.recommend('texts', (SELECT array_agg(id) FROM texts WHERE content LIKE 'coffee: a beverage%'),
    (SELECT array_agg(id) FROM texts WHERE content LIKE 'bean dip:%'), k => 3);
SELECT * FROM vera.list_collections();
