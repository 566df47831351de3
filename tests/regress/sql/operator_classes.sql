-- Ordering, btree and hash indexes, grouping, joins.
\pset null NULL
SELECT opcname, amname, amvalidate(o.oid) FROM pg_opclass o JOIN pg_am a ON a.oid = opcmethod
WHERE opcintype = 'veravec'::regtype ORDER BY 2;

CREATE TABLE t (v veravec(3));
INSERT INTO t VALUES ('[0,0,0]'), ('[1,2,3]'), ('[1,1,1]'), (NULL), ('[-0,0,-0]'), ('[1,2,3]');
SELECT * FROM t ORDER BY v;
SELECT * FROM t ORDER BY v DESC NULLS LAST;

SET enable_seqscan = off;
CREATE INDEX t_btree ON t (v);
SELECT plan_has($$SELECT * FROM t WHERE v = '[1,2,3]'$$, 'using t_btree');
SELECT * FROM t WHERE v = '[1,2,3]';
SELECT * FROM t WHERE v = '[0,0,0]';
SELECT * FROM t WHERE v > '[0,5,0]' ORDER BY v;
DROP INDEX t_btree;
CREATE INDEX t_hash ON t USING hash (v);
SELECT plan_has($$SELECT * FROM t WHERE v = '[0,0,0]'$$, 'using t_hash');
SELECT * FROM t WHERE v = '[0,0,0]';
SELECT * FROM t WHERE v = '[1,2,3]';
DROP INDEX t_hash;
RESET enable_seqscan;

-- 0 and -0 are equal, and so they hash alike
SELECT veravec_hash('[0,1]') = veravec_hash('[-0,1]'), veravec_hash('[0,1]') = veravec_hash('[0,2]'),
	veravec_hash_extended('[0,1]', 7) = veravec_hash_extended('[-0,1]', 7),
	veravec_hash_extended('[0,1]', 7) = veravec_hash_extended('[0,1]', 8),
	veravec_hash_extended('[0,1]', 0)::bit(32) = veravec_hash('[0,1]')::bit(32);

SET enable_sort = off;
SELECT plan_has('SELECT v, count(*) FROM t GROUP BY v', 'HashAggregate');
SELECT v + '[0,0,0]' AS v, count(*) FROM t GROUP BY v ORDER BY 2 DESC, 1;
RESET enable_sort;
SELECT count(*) FROM (SELECT DISTINCT v FROM t) d;
SELECT count(*) FROM (SELECT v FROM t UNION SELECT v FROM t) d;
SELECT count(*) FROM t a WHERE v IN (SELECT v FROM t);

ANALYZE t;
SET enable_nestloop = off; SET enable_mergejoin = off;
SELECT plan_has('SELECT count(*) FROM t a JOIN t b USING (v)', 'Hash Join');
SELECT count(*) FROM t a JOIN t b USING (v);
SET enable_mergejoin = on; SET enable_hashjoin = off;
SELECT plan_has('SELECT count(*) FROM t a JOIN t b USING (v)', 'Merge Join');
SELECT count(*) FROM t a JOIN t b USING (v);
RESET enable_nestloop; RESET enable_hashjoin;
ALTER TABLE t ADD CONSTRAINT once UNIQUE (v);
DELETE FROM t WHERE v IN ('[1,2,3]', '[0,0,0]');
ALTER TABLE t ADD CONSTRAINT once UNIQUE (v);
DROP TABLE t;

-- hash partitions
CREATE TABLE p (v veravec) PARTITION BY HASH (v);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p SELECT ARRAY[i, i]::veravec FROM generate_series(1, 100) i;
SELECT count(*) FROM p, (SELECT count(*) c FROM p0) a, (SELECT count(*) c FROM p1) b WHERE a.c > 20 AND b.c > 20;
DROP TABLE p;
