-- Casts from and to arrays.
SELECT ARRAY[1,2,3]::veravec, ARRAY[1,2,3]::bigint[]::veravec, ARRAY[1.5,2]::real[]::veravec, ARRAY[1.5,2]::float8[]::veravec, ARRAY[1.5,2]::numeric[]::veravec;
SELECT '{2147483647,-2147483648}'::integer[]::veravec, '{9223372036854775807}'::bigint[]::veravec, '{1e-300}'::float8[]::veravec, '{0.1}'::numeric[]::veravec;
SELECT ARRAY[1,2,3]::veravec(3), '{1,2,3}'::real[]::veravec(3);
SELECT '[1,2.5,-3]'::veravec::real[], '[1,2.5,-3]'::veravec::float8[], '[1,2.25,-3]'::veravec::numeric[], '[1,2.4,-3]'::veravec::integer[], '[1,2.6,-3]'::veravec::bigint[];
SELECT '[1,2]'::veravec(2)::real[], '[1,2]'::veravec::veravec(2);

-- which of them happen unasked
SELECT castsource::regtype, casttarget::regtype, castcontext FROM pg_cast
WHERE 'veravec'::regtype IN (castsource, casttarget) ORDER BY 1, 2;
CREATE TABLE cast_to (v veravec, i integer[], b bigint[], r real[], d float8[], n numeric[]);
INSERT INTO cast_to SELECT a, a::veravec, a::veravec, a::veravec, a::veravec, a::veravec FROM (SELECT ARRAY[1,2]) t(a);
SELECT * FROM cast_to;
DROP TABLE cast_to;
-- the implicit cast to real[] leaves arrays as they are
SELECT ARRAY[1,2,3] = ARRAY[1,2,3], ARRAY[1,2,3]::real[] = ARRAY[1,2,3]::real[];

-- arrays of vectors
SELECT array_agg(v ORDER BY v), (array_agg(v ORDER BY v))[1] <-> '[0]' FROM unnest(ARRAY['[2]'::veravec, '[1]']) v;
SELECT unnest('{"[1,2]","[3,4]"}'::veravec[]);

-- arrays in every form that storage gives a value
CREATE TABLE arrays (a float8[], n numeric[]);
INSERT INTO arrays VALUES ('{1,2}', '{1,2}'), (array_fill(0.5::float8, ARRAY[3000]), array_fill(0.5, ARRAY[3000]));
INSERT INTO arrays SELECT array_agg(random()), array_agg(random()) FROM generate_series(1, 3000);
SELECT array_length(a, 1), vector_dims(a::veravec), vector_dims(n::veravec), a::veravec = a::real[]::veravec AS same FROM arrays;
-- a lower bound other than 1 is of no importance
SELECT '[5:6]={1,2}'::integer[]::veravec, ('{9,1,2}'::integer[])[2:]::veravec;
DROP TABLE arrays;

-- JSON: arrays of numbers, and back
SELECT '[1,2.5,-0,1e-45,3.4028235e38]'::veravec::json, to_jsonb(t), row_to_json(t) FROM (SELECT '[1,2.5]'::veravec AS v, NULL::veravec AS w) t;
SELECT v, v = '[1,2.5,-3e-7]' AS same FROM jsonb_to_record('{"v": [1, 2.5, -3e-7]}') r (v veravec(3));
SELECT count(DISTINCT v), count(*) FILTER (WHERE to_jsonb(v)::text::veravec <> v) AS other
FROM (SELECT array_agg(random() * 10 ^ (random() * 60 - 30))::veravec AS v FROM generate_series(1, 1000) i, generate_series(1, 100) GROUP BY i) x;
