-- verahalfvec: everything that veravec has, in half precision.
\pset null ''

-- text, sizes, limits
SELECT '[1,2.5,-3]'::verahalfvec, '[0.1]'::verahalfvec, '[65504,-65504,6e-8,1e-8,-1e-8,0x1p3]'::verahalfvec, ' [ 1 , 2 ] '::verahalfvec(2);
SELECT pg_column_size('[1,2,3]'::verahalfvec), pg_column_size('[1,2,3]'::veravec), pg_column_size(array_fill(1, ARRAY[16000])::verahalfvec);
SELECT verahalfvec_send('[1,-2]'), verahalfvec_send('[0.1]');
SELECT input, e.* FROM unnest(ARRAY['', '[', '[1,]', '[hello]', '[1]2', '[]', '[65520]', '[-1e9,1]', '[4e38]', '[1e400]', '[NaN]', '[inf]']) AS input,
	error_of(format('SELECT %L::verahalfvec', input)) AS e;
SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT '[1,2,3]'::verahalfvec(2)$$,
	$$SELECT '[1]'::verahalfvec(0)$$,
	$$SELECT '[1]'::verahalfvec(16001)$$,
	$$SELECT array_fill(1, ARRAY[16001])::verahalfvec$$,
	$$SELECT '[1,2]'::verahalfvec <-> '[1]'$$,
	$$SELECT '[65504]'::verahalfvec + '[32]'$$,
	$$SELECT '[-65504]'::verahalfvec - '[32]'$$,
	$$SELECT '[1e-4]'::verahalfvec * '[1e-4]'$$,
	$$SELECT 1e6 * '[1]'::verahalfvec$$,
	$$SELECT '[70000]'::veravec::verahalfvec$$,
	$$SELECT '[1,2]'::veravec::verahalfvec(3)$$,
	$$SELECT '[1,2]'::verahalfvec::veravec(3)$$,
	$$SELECT ARRAY[65520.0]::real[]::verahalfvec$$,
	$$SELECT ARRAY[1e9]::float8[]::verahalfvec$$,
	$$SELECT ARRAY[1e39]::float8[]::verahalfvec$$,
	$$SELECT ARRAY[70000]::integer[]::verahalfvec$$,
	$$SELECT '{NaN}'::real[]::verahalfvec$$,
	$$SELECT '{{1}}'::real[]::verahalfvec$$,
	$$SELECT '{NULL}'::real[]::verahalfvec$$,
	$$SELECT verahalfvec_avg('{1}')$$,
	$$SELECT verahalfvec_accum('{}', '[1]')$$
]) AS statement, error_of(statement) AS e;

-- arithmetic, functions, aggregates
SELECT '[1,2]'::verahalfvec + '[3,4]', '[1,2]'::verahalfvec - '[3,4]', '[1,2]'::verahalfvec * '[3,4]', 2 * '[1,2]'::verahalfvec, '[1,2]'::verahalfvec || '[3]';
SELECT vector_dims('[1,2]'::verahalfvec), l2_norm('[3,4]'::verahalfvec), l2_normalize('[3,4]'::verahalfvec), l2_normalize('[0,0]'::verahalfvec),
	binary_quantize('[1,0,-1]'::verahalfvec), subvector('[1,2,3,4]'::verahalfvec, 2, 2);
SELECT avg(v), sum(v), count(DISTINCT v) FROM unnest(ARRAY['[1,2]', '[2,4]', NULL, '[2,4]']::verahalfvec[]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY[]::verahalfvec[]) v;
SELECT avg(v) FROM (SELECT '[65504]'::verahalfvec AS v FROM generate_series(1, 100)) t;
SELECT '[1,2]'::verahalfvec < '[1,3]', '[1,2]'::verahalfvec = '[1,2]', '[0]'::verahalfvec = '[-0]', '[1]'::verahalfvec > '[1,0]', verahalfvec_cmp('[1]', '[2]');
SELECT verahalfvec_hash('[0,1]') = verahalfvec_hash('[-0,1]'), verahalfvec_hash_extended('[0,1]', 7) = verahalfvec_hash_extended('[-0,1]', 7);

-- distances: to the last bit those of the widened vectors
SELECT '[1,2]'::verahalfvec <-> '[4,6]', '[1,2]'::verahalfvec <#> '[3,4]', '[1,0]'::verahalfvec <=> '[0,1]', '[1,2]'::verahalfvec <+> '[4,6]', '[0,0]'::verahalfvec <=> '[0,1]';
CREATE TABLE halves (id int, h verahalfvec(100), w veravec(100));
INSERT INTO halves SELECT i, array_agg(random() * 2 - 1) FROM generate_series(1, 3000) i, generate_series(1, 100) GROUP BY i;
UPDATE halves SET w = h;
SELECT count(*), count(*) FILTER (WHERE a.h <-> b.h <> a.w <-> b.w OR a.h <#> b.h <> a.w <#> b.w OR a.h <=> b.h <> a.w <=> b.w OR a.h <+> b.h <> a.w <+> b.w
	OR l2_distance(a.h, b.h) <> l2_distance(a.w, b.w) OR inner_product(a.h, b.h) <> inner_product(a.w, b.w)
	OR verahalfvec_l2_squared_distance(a.h, b.h) <> veravec_l2_squared_distance(a.w, b.w)) AS other
FROM halves a JOIN halves b ON b.id = a.id + 1;
SELECT count(*) FILTER (WHERE h::veravec = w) AS same, pg_size_pretty(sum(pg_column_size(h))) AS half, pg_size_pretty(sum(pg_column_size(w))) AS single FROM halves;

-- casts, and which happen unasked
SELECT '[1.5,2]'::verahalfvec::real[], '[1.5,2]'::verahalfvec::float8[], '[1.5,2]'::verahalfvec::numeric[], '[1.5,2]'::verahalfvec::integer[], '[1.5,2]'::verahalfvec::bigint[],
	ARRAY[1,2]::verahalfvec, ARRAY[1,2]::bigint[]::verahalfvec, ARRAY[0.1]::numeric[]::verahalfvec, to_jsonb('[1,2.5]'::verahalfvec);
SELECT castsource::regtype, casttarget::regtype, castcontext FROM pg_cast
WHERE 'verahalfvec'::regtype IN (castsource, casttarget) ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";
SELECT pg_typeof('[1]'::veravec || '[2]'::verahalfvec), pg_typeof(l2_normalize('[1]')), vector_dims('[1,2]');
SELECT h <-> w = 0 FROM halves LIMIT 1;

-- COPY in the binary form
CREATE TABLE copied (LIKE halves);
COPY halves TO '/tmp/vera_vec_halves' (FORMAT binary);
COPY copied FROM '/tmp/vera_vec_halves' (FORMAT binary);
SELECT count(*) FROM halves JOIN copied USING (id, h, w);
SELECT count(*) FROM (SELECT h FROM halves EXCEPT SELECT h FROM copied) t;

-- indexes
CREATE INDEX ON halves USING veraflat (h);
CREATE INDEX ON halves USING veraflat (h verahalfvec_l1_ops);
CREATE INDEX ON halves USING veraflat ((w::verahalfvec(100)), id);
CREATE UNIQUE INDEX ON halves (h);
ANALYZE halves;
SELECT veraflat_check(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
WHERE i.indrelid = 'halves'::regclass AND a.amname = 'veraflat';
SELECT o, plan_has(format('SELECT id FROM halves ORDER BY h %s (SELECT h FROM halves WHERE id = 7) LIMIT 5', o), 'Index Scan using halves_h') AS indexed
FROM unnest(ARRAY['<->', '<#>', '<=>', '<+>']) o;
SELECT plan_has('SELECT id FROM halves ORDER BY w::verahalfvec(100) <=> (SELECT h FROM halves WHERE id = 7) LIMIT 5', 'Index Scan using halves_w') AS indexed;
-- a single-precision query becomes one of half precision
SELECT plan_has(format('SELECT id FROM halves ORDER BY h <=> %L::veravec LIMIT 5', (SELECT w FROM halves WHERE id = 7)), 'Index Scan') AS indexed;
CREATE FUNCTION differs(operator text, by text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	statement text := format('SELECT array_agg(d) FROM (SELECT %s %s (SELECT h FROM halves WHERE id = 7) AS d FROM halves WHERE id %% 3 <> 1 ORDER BY 1 LIMIT 20) t', by, operator);
	indexed float8[];
	sequential float8[];
BEGIN
	SET LOCAL enable_seqscan = off;
	EXECUTE statement INTO indexed;
	SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL vera_vec.enable_filter_first = off;
	EXECUTE statement INTO sequential;
	RETURN CASE WHEN indexed = sequential THEN 0 ELSE 1 END;
END $$;
SELECT o, differs(o, 'h'), differs(o, 'w::verahalfvec(100)') FROM unnest(ARRAY['<->', '<#>', '<=>', '<+>']) o;
SELECT e.* FROM error_of('CREATE INDEX ON halves USING veraflat ((w::verahalfvec))') e;
SELECT opcname, amname, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod WHERE opcintype = 'verahalfvec'::regtype ORDER BY opcname, amname;
DROP FUNCTION differs;
DROP TABLE halves, copied;
