-- Operators and functions.
\pset null NULL
SELECT '[1,2,3]'::veravec + '[4,5,6]' AS add, '[1,2,3]'::veravec - '[4,5,6]' AS sub, '[1,2,3]'::veravec * '[4,5,6]' AS mul;
SELECT '[1,2,3]'::veravec || '[4,5]' AS concat;
SELECT 2 * '[1,2,3]'::veravec, 2.5 * '[1,2,3]'::veravec, '[1,2,3]'::veravec * 2, '[1,2,3]'::veravec * -0.5::real;
-- a bare literal beside a vector is a vector
SELECT '[1,2,3]' * '[2,2,2]'::veravec, '[1,2,3]'::veravec * '[2,2,2]';
PREPARE times AS SELECT '[1,2,3]'::veravec * $1;
EXECUTE times('[1,0,1]');

SELECT vector_dims('[1,2,3]'::veravec), vector_norm('[3,4]'::veravec), l2_norm('[3,4]'::veravec), l2_norm('[0,0]'::veravec);
SELECT l2_norm('[3e37,4e37]'::veravec)::real AS no_overflow;
SELECT l2_normalize('[3,4]'::veravec), l2_normalize('[0,0]'::veravec), l2_normalize('[3e38]'::veravec), l2_normalize('[-0.0001]'::veravec);

SELECT l2_distance('[0,0]'::veravec, '[3,4]'), '[0,0]'::veravec <-> '[3,4]';
SELECT l2_distance('[3e38]'::veravec, '[-3e38]') AS overflow;
SELECT veravec_l2_squared_distance('[0,0]', '[3,4]');
SELECT inner_product('[1,2]'::veravec, '[3,4]'), '[1,2]'::veravec <#> '[3,4]', veravec_negative_inner_product('[1,2]', '[3,4]');
SELECT inner_product('[3e38]'::veravec, '[3e38]') AS overflow;
SELECT cosine_distance('[1,2]'::veravec, '[2,4]'), '[1,1]'::veravec <=> '[1,1]', '[1,0]'::veravec <=> '[0,2]', '[1,1]'::veravec <=> '[-1.1,-1.1]';
SELECT cosine_distance('[1,2]'::veravec, '[0,0]') AS zero, cosine_distance('[3e38]'::veravec, '[3e38]') AS overflow;
SELECT l1_distance('[0,0]'::veravec, '[3,4]'), '[0,0]'::veravec <+> '[3,-4]', l1_distance('[3e38]'::veravec, '[-3e38]') AS overflow;
SELECT '[1,2]'::veravec <-> NULL, NULL::veravec <=> '[1]', l2_norm(NULL::veravec);

SELECT binary_quantize('[1,0,-1]'::veravec), binary_quantize('[0,0.1,-0.2,-0.3,0.4,0.5,0.6,-0.7,0.8,-0.9,1]'::veravec);
SELECT subvector('[1,2,3,4,5]'::veravec, 1, 3), subvector('[1,2,3,4,5]'::veravec, 3, 2), subvector('[1,2,3,4,5]'::veravec, -1, 3),
	subvector('[1,2,3,4,5]'::veravec, 3, 9), subvector('[1,2,3,4,5]'::veravec, 1, 2147483647);
SELECT subvector('[1,2,3,4,5]'::veravec, 3, 2147483647), subvector('[1,2,3,4,5]'::veravec, -2147483644, 2147483647);

-- comparisons: element by element, then by length, as arrays
SELECT '[1,2,3]'::veravec < '[1,2,4]', '[1,2,3]'::veravec < '[1,2,3]', '[1,2]'::veravec < '[1,2,3]', '[2]'::veravec < '[1,5]',
	'[1,2,3]'::veravec <= '[1,2,3]', '[1,2,3]'::veravec = '[1,2,3]', '[0]'::veravec = '[-0]', '[1,2]'::veravec = '[1,2,0]',
	'[1,2,3]'::veravec <> '[1,2,4]', '[1,2,3]'::veravec >= '[1,2,4]', '[2,0]'::veravec > '[1,9]';
SELECT veravec_cmp('[1,2,3]', '[1,2,3]'), veravec_cmp('[1,2,3]', '[0,0,0]'), veravec_cmp('[0,0,0]', '[1,2,3]'), veravec_cmp('[1]', '[1,-1]');
WITH t AS (SELECT (ARRAY[(random() * 3)::int, (random() * 3)::int, (random() * 3)::int])[:1 + (random() * 2)::int] AS a FROM generate_series(1, 60))
SELECT count(*) > 3000 AS many, bool_and(veravec_cmp(x.a::veravec, y.a::veravec) = btarraycmp(x.a, y.a)) AS as_arrays FROM t x, t y;

-- aggregates
SELECT avg(v), sum(v) FROM unnest(ARRAY['[1,2,3]'::veravec, '[3,5,7]', NULL]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY[]::veravec[]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY[NULL]::veravec[]) v;
SELECT avg(v) FROM unnest(ARRAY['[3e38]'::veravec, '[3e38]']) v;
SELECT avg(v) OVER (ORDER BY v ROWS 1 PRECEDING), sum(v) OVER (ORDER BY v) FROM unnest(ARRAY['[1]'::veravec, '[3]', '[8]']) v;
SELECT veravec_accum('{0}', '[1,2]'), veravec_accum('{1,2,3}', '[1,2]'), veravec_combine('{0}', '{0}'),
	veravec_combine('{1,2,3}', '{0}'), veravec_combine('{0}', '{1,2,3}'), veravec_combine('{1,2,3}', '{2,1,1}'),
	veravec_avg('{2,3,5}'), veravec_avg('{0}');
-- a transition function must not change what is not its own
WITH s AS MATERIALIZED (SELECT '{1,2,3}'::float8[] AS state) SELECT veravec_accum(state, '[1,1]'), state FROM s;

CREATE TABLE summed AS SELECT i, ('[' || i % 7 || ',' || i % 11 || ']')::veravec AS v FROM generate_series(1, 50000) i;
SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
ANALYZE summed;
SELECT plan_has('SELECT avg(v), sum(v) FROM summed', 'Partial Aggregate');
SELECT avg(v), sum(v) FROM summed;
SELECT i % 3 AS rest, avg(v) = ARRAY[avg(i % 7), avg(i % 11)]::veravec AS as_numbers FROM summed GROUP BY 1 ORDER BY 1;
RESET min_parallel_table_scan_size; RESET parallel_setup_cost; RESET parallel_tuple_cost;
DROP TABLE summed;

SELECT vera_vec_simd_level() IN ('portable', 'neon', 'avx2', 'avx512');

-- late interaction: of each vector of the query the best of the document, added up
SELECT maxsim(ARRAY['[1,0]', '[0,1]']::veravec[], ARRAY['[1,0]', '[0.5,0.25]']::veravec[]), maxsim(ARRAY['[1,0]']::verahalfvec[], ARRAY['[-1,0]', '[-0.5,7]']::verahalfvec[]);
SELECT maxsim('{}'::veravec[], ARRAY['[1]']::veravec[]), maxsim(ARRAY['[1]']::veravec[], '{}'::veravec[]), maxsim(NULL, ARRAY['[1]']::veravec[]);
SELECT e.* FROM unnest(ARRAY[
	$$SELECT maxsim(ARRAY['[1,2]']::veravec[], ARRAY['[1]']::veravec[])$$,
	$$SELECT maxsim(ARRAY['[1,2]', NULL]::veravec[], ARRAY['[1,2]']::veravec[])$$
]) s, error_of(s) e;
CREATE TABLE tokens (vectors veravec[]);
INSERT INTO tokens SELECT array_agg(v) FROM (SELECT i, array_agg(sin(i * 1.3 + j))::veravec AS v FROM generate_series(1, 40) i, generate_series(1, 200) j GROUP BY i) t GROUP BY i % 5;
SELECT abs(maxsim(a.vectors, b.vectors) - (SELECT sum(best) FROM (SELECT (SELECT max(inner_product(q, d)) FROM unnest(b.vectors) d) AS best FROM unnest(a.vectors) q) s)) < 1e-9 AS same
FROM tokens a, tokens b LIMIT 3;
DROP TABLE tokens;
