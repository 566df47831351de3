-- Text form, storage, type modifiers.
SELECT '[1,2,3]'::veravec, '[-1,-2,-3]'::veravec, '[1.,2.,3.]'::veravec, '[.1]'::veravec;
SELECT ' [ 1,  2 ,    3  ] '::veravec, E' \t\n\r\x0b\f[1\t\n\r\x0b\f]\t'::veravec;
SELECT '[1.23456]'::veravec, '[123456789]'::veravec, '[1e-5,1e20,0.00012]'::veravec;
SELECT '[+1,1e5,1E+5,0x1p3,0X.8]'::veravec;
SELECT '[1e-45,1e-46,-1e-46,-0,3.4028235e38]'::veravec;
-- as real prints, whatever extra_float_digits says
SELECT bool_and(t.v::text = '[' || t.r::text || ']') FROM (
	SELECT r, ('[' || r || ']')::veravec v FROM (
		SELECT (random() * 10 ^ (random() * 70 - 35))::real r FROM generate_series(1, 1000)
	) r
) t;
SET extra_float_digits = -5;
SELECT '[1.2345678]'::veravec;
RESET extra_float_digits;

-- type modifiers
CREATE TABLE typed (id serial, v veravec(3), w veravec, a veravec(2)[]);
SELECT attname, format_type(atttypid, atttypmod), attstorage FROM pg_attribute
WHERE attrelid = 'typed'::regclass AND attnum > 1 ORDER BY attnum;
INSERT INTO typed (v, w, a) VALUES ('[1,2,3]', '[1]', '{"[1,2]",NULL,"[3,4]"}');
INSERT INTO typed (v) VALUES ('[1,2]');
INSERT INTO typed (w) VALUES ('[1,2]');
INSERT INTO typed (a) VALUES ('{"[1,2,3]"}');
INSERT INTO typed (v) SELECT w FROM typed WHERE w IS NOT NULL;
SELECT * FROM typed;
ALTER TABLE typed ALTER v TYPE veravec(4);
ALTER TABLE typed ALTER v TYPE veravec;
DROP TABLE typed;

-- pgvector's layout: dimensions and a zero, 16 bits each, then elements
SELECT pg_column_size('[1,2,3]'::veravec), pg_column_size(ones(16000)::veravec);
SELECT typlen, typalign, typstorage, typbyval, typcategory FROM pg_type WHERE oid = 'veravec'::regtype;

-- in every form that storage gives a value: packed, plain, out of line, compressed by hand
CREATE TABLE stored (id int, v veravec);
INSERT INTO stored SELECT dim, (SELECT array_agg(i) FROM generate_series(1, dim) i)::veravec
FROM unnest(ARRAY[1, 29, 30, 100, 490, 510, 3000, 16000]) dim;
SELECT id, pg_column_size(v), vector_dims(v), round(vector_norm(v)::numeric, 3), v <-> v AS self FROM stored ORDER BY id;
ALTER TABLE stored ALTER v SET STORAGE extended;
INSERT INTO stored SELECT 15000, array_fill(1, ARRAY[15000])::veravec;
SELECT pg_column_size(v) < 10000 AS compressed, vector_norm(v) ^ 2 AS dim FROM stored WHERE id = 15000;
DROP TABLE stored;

-- 3 vectors of 1024 dimensions fit into a row because they are stored out of line
CREATE TABLE wide (a veravec(1024), b veravec(1024), c veravec(1024));
INSERT INTO wide SELECT ones(1024)::veravec, ones(1024)::veravec, ones(1024)::veravec;
ALTER TABLE wide ALTER a SET STORAGE plain, ALTER b SET STORAGE plain, ALTER c SET STORAGE plain;
INSERT INTO wide SELECT ones(1024)::veravec, ones(1024)::veravec, ones(1024)::veravec;
DROP TABLE wide;

-- damaged data give an error, and no more
CREATE CAST (bytea AS veravec) WITHOUT FUNCTION;
SELECT what, e.* FROM (VALUES
	('right', '\x020000000000803f00000040'),
	('empty', ''),
	('no room for the header', '\x0200'),
	('no dimensions', '\x00000000'),
	('more dimensions than elements', '\x030000000000803f00000040'),
	('fewer dimensions than elements', '\x010000000000803f00000040'),
	('half an element', '\x010000000000'),
	('too many dimensions', '\xffff0000')
) AS t(what, stored), error_of(format('SELECT vector_dims(%L::bytea::veravec)', stored)) AS e;
DROP CAST (bytea AS veravec);
