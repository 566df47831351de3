-- Nearest neighbours by sequential scan: order, NULL, NaN, filters, plans.
\pset null NULL
CREATE TABLE items (id int, v veravec(3));
INSERT INTO items VALUES (1, '[1,2,3]'), (2, '[3,2,1]'), (3, '[0,0,0]'), (4, NULL), (5, '[-1,-2,-3]'), (6, '[1,2,3]');
SELECT id, v <-> '[1,2,3]' AS distance FROM items ORDER BY v <-> '[1,2,3]', id;
SELECT id, v <#> '[1,2,3]' AS distance FROM items ORDER BY v <#> '[1,2,3]', id;
-- the zero vector has no cosine distance: after all numbers, before NULL
SELECT id, v <=> '[1,2,3]' AS distance FROM items ORDER BY v <=> '[1,2,3]', id;
SELECT id, v <+> '[1,2,3]' AS distance FROM items ORDER BY v <+> '[1,2,3]', id;
SELECT id FROM items WHERE id % 2 = 1 AND v <-> '[1,2,3]' < 5 ORDER BY v <-> '[1,2,3]' LIMIT 2;
SELECT id, v <-> NULL AS distance FROM items ORDER BY v <-> NULL, id;
SELECT a.id, n.id FROM items a, LATERAL (SELECT id FROM items b WHERE b.id > 2 ORDER BY a.v <+> b.v, id LIMIT 1) n ORDER BY 1;
DROP TABLE items;

-- The distance's cost makes a big exact scan parallel without any setting.
CREATE TABLE big (id int, v veravec(384));
INSERT INTO big SELECT i, array_fill(i, ARRAY[384])::veravec FROM generate_series(1, 20000) i;
ANALYZE big;
SELECT plan_has('SELECT id FROM big ORDER BY v <=> (SELECT v FROM big WHERE id = 1) LIMIT 10', 'Parallel Seq Scan');
SELECT provolatile, proparallel, proisstrict, count(*), min(procost), max(procost) FROM pg_proc
WHERE proname LIKE '%distance' AND 'veravec'::regtype = ANY (proargtypes) GROUP BY 1, 2, 3;
SELECT id FROM big ORDER BY v <-> array_fill(100.4, ARRAY[384])::veravec LIMIT 5;
DROP TABLE big;
