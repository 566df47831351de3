-- COPY in text, CSV and binary form, both ways.
CREATE TABLE t (id int, v veravec(3));
CREATE TABLE u (LIKE t);
INSERT INTO t VALUES (1, '[1,2,3]'), (2, NULL), (3, '[-0,1e-45,3.4028235e38]'), (4, '[0.1,0.2,0.3]');
\copy t TO 'copied.bin' (FORMAT binary)
\copy u FROM 'copied.bin' (FORMAT binary)
\copy t TO 'copied.txt'
\copy u FROM 'copied.txt'
\copy t TO 'copied.csv' (FORMAT csv)
\copy u FROM 'copied.csv' (FORMAT csv)
SELECT u.id, u.v, count(*), bool_and(veravec_send(u.v) IS NOT DISTINCT FROM veravec_send(t.v)) AS same_bytes
FROM u JOIN t USING (id) GROUP BY u.id, u.v ORDER BY u.id;
SELECT veravec_send('[1,-2.5]');
DROP TABLE t, u;
-- through a column of real[] and back
CREATE TABLE t (v veravec);
INSERT INTO t SELECT array_agg(random() - 0.5)::veravec FROM generate_series(1, 384 * 20) i GROUP BY i % 20;
SELECT count(*), bool_and(v = v::real[]::veravec AND v = v::text::veravec) FROM t;
DROP TABLE t;
