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
EXPLAIN (ANALYZE, COSTS OFF)
SELECT id FROM documents
ORDER BY embedding <=> (SELECT embedding FROM queries WHERE sentence = 'a mountain in South America')
LIMIT 5;

\echo 'The average embedding of each topic, and the two topics that are most alike:\n'
WITH topics AS (SELECT metadata->>'topic' AS topic, count(*), avg(embedding) AS centre FROM documents GROUP BY 1)
SELECT a.topic, b.topic AS other, a.count, b.count AS other_count, round((a.centre <=> b.centre)::numeric, 3) AS distance
FROM topics a JOIN topics b ON a.topic < b.topic
ORDER BY a.centre <=> b.centre
LIMIT 2;
