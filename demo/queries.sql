-- What README.md asks of the demonstration's data.

\echo '\nThe nearest documents to a sentence, with their cosine distance:\n'
SELECT round((embedding <=> q)::numeric, 3) AS distance, content, metadata->>'topic' AS topic
FROM documents, (SELECT embedding AS q FROM queries WHERE sentence = 'a hot drink made from roasted beans') AS query
ORDER BY embedding <=> q
LIMIT 5;

\echo 'The same among the documents whose metadata say that they are about artifacts:\n'
SELECT round((embedding <=> q)::numeric, 3) AS distance, content
FROM documents, (SELECT embedding AS q FROM queries WHERE sentence = 'a hot drink made from roasted beans') AS query
WHERE metadata @> '{"topic": "artifact"}'
ORDER BY embedding <=> q
LIMIT 5;

\echo 'Another sentence, nearest by Euclidean distance, among the nouns, and no farther than 1.1:\n'
SELECT round((embedding <-> q)::numeric, 3) AS distance, content, metadata->'lemmas' AS lemmas
FROM documents, (SELECT embedding AS q FROM queries WHERE sentence = 'a violent storm with strong winds and heavy rain') AS query
WHERE metadata @> '{"pos": "noun"}' AND embedding <-> q < 1.1
ORDER BY embedding <-> q
LIMIT 5;

\echo 'How PostgreSQL finds them: an exact scan of all rows, keeping the five best:\n'
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF)
SELECT id FROM documents
ORDER BY embedding <=> (SELECT embedding FROM queries WHERE sentence = 'a mountain in South America')
LIMIT 5;

\echo 'The same question without an index:\n'
SELECT round((embedding <=> (SELECT embedding FROM queries WHERE sentence = 'a mountain in South America'))::numeric, 4) AS distance, content
FROM documents
ORDER BY embedding <=> (SELECT embedding FROM queries WHERE sentence = 'a mountain in South America')
LIMIT 5;

\echo 'An index:\n'
CREATE INDEX documents_embedding ON documents USING veraflat (embedding);
SELECT pg_size_pretty(pg_relation_size('documents_embedding')) AS index_size,
    pg_size_pretty(5000 * 384 * 4::bigint) AS vectors_size;

\echo 'The same question with it, and the same answer:\n'
SELECT round((embedding <=> (SELECT embedding FROM queries WHERE sentence = 'a mountain in South America'))::numeric, 4) AS distance, content
FROM documents
ORDER BY embedding <=> (SELECT embedding FROM queries WHERE sentence = 'a mountain in South America')
LIMIT 5;

\echo 'How PostgreSQL finds them now, and what the index did:\n'
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF)
SELECT id FROM documents
ORDER BY embedding <=> (SELECT embedding FROM queries WHERE sentence = 'a mountain in South America')
LIMIT 5;
SELECT * FROM veraflat_scan_stats();

\echo 'The topics whose documents are, on the average, nearest to a sentence:\n'
SELECT topic, count, round((centre <=> (SELECT embedding FROM queries WHERE sentence = 'a bird that cannot fly'))::numeric, 3) AS distance
FROM (SELECT metadata->>'topic' AS topic, count(*), avg(embedding) AS centre FROM documents GROUP BY 1) AS topics
ORDER BY distance
LIMIT 3;
