-- Every error that a value of the type can cause: SQLSTATE, message and DETAIL.
\pset null ''

-- text
SELECT input, e.* FROM unnest(ARRAY[
	'', ' ', '1,2,3', '{1,2,3}', 'hello',
	'[hello,1]', '[1,2,3', '[', '[,', '[1,]', '[1a]', '[1,,3]', '[1, ,3]', '[1 2]', '[--1]', '[0x]', '[1e]',
	'[1,2,3]9', '[1,2,3]]', '[1],',
	'[]', '[ ]',
	'[4e38,1]', '[1,-4e38]', '[1e400]', '[0x1p128]',
	'[NaN,1]', '[-nan]', '[Infinity,1]', '[-Infinity,1]', '[inf]', '[-inf]'
]) AS input, error_of(format('SELECT %L::veravec', input)) AS e;

-- limits
SELECT e.* FROM error_of(format('SELECT %L::veravec', ones(16001))) AS e;
SELECT e.* FROM error_of(format('SELECT %L::veravec', ones(100000))) AS e;
SELECT vector_dims(ones(16000)::veravec);
SELECT e.* FROM error_of(format('SELECT array_fill(1, ARRAY[16001])::veravec')) AS e;
SELECT e.* FROM error_of(format('SELECT %L::veravec || %L::veravec', ones(16000), ones(1))) AS e;
SELECT e.* FROM error_of($$SELECT veravec_avg(array_fill(1::float8, ARRAY[16002]))$$) AS e;

-- a long literal is not repeated in full
SELECT e.state, length(e.message), right(e.message, 10)
FROM error_of(format('SELECT %L::veravec', '[' || repeat('x', 100000))) AS e;

-- type modifiers
SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT '[1,2,3]'::veravec(2)$$,
	$$SELECT '[1,2,3]'::veravec::veravec(2)$$,
	$$SELECT '{"[1,2,3]"}'::veravec(2)[]$$,
	$$SELECT ARRAY[1,2,3]::veravec(2)$$,
	$$SELECT ARRAY['[1,2,3]'::veravec]::veravec(2)[]$$,
	$$SELECT '[1]'::veravec(0)$$,
	$$SELECT '[1]'::veravec(-1)$$,
	$$SELECT '[1]'::veravec(16001)$$,
	$$SELECT '[1]'::veravec(1,2)$$,
	$$SELECT '[1]'::veravec('a')$$,
	$$SELECT '[1]'::veravec(99999999999)$$
]) AS statement, error_of(statement) AS e;

-- operands
SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT '[1,2]'::veravec <-> '[3]'$$,
	$$SELECT '[1,2]'::veravec <#> '[3]'$$,
	$$SELECT '[1,2]'::veravec <=> '[3]'$$,
	$$SELECT '[1,2]'::veravec <+> '[3]'$$,
	$$SELECT l2_distance('[1,2]'::veravec, '[3]')$$,
	$$SELECT inner_product('[1,2]'::veravec, '[3]')$$,
	$$SELECT cosine_distance('[1,2]'::veravec, '[3]')$$,
	$$SELECT l1_distance('[1,2]'::veravec, '[3]')$$,
	$$SELECT veravec_negative_inner_product('[1,2]'::veravec, '[3]')$$,
	$$SELECT veravec_l2_squared_distance('[1,2]'::veravec, '[3]')$$,
	$$SELECT '[1,2]'::veravec + '[3]'$$,
	$$SELECT '[1,2]'::veravec - '[3]'$$,
	$$SELECT '[1,2]'::veravec * '[3]'$$,
	$$SELECT '[3e38]'::veravec + '[3e38]'$$,
	$$SELECT '[-3e38]'::veravec - '[3e38]'$$,
	$$SELECT '[1e37]'::veravec * '[1e37]'$$,
	$$SELECT '[1e-37]'::veravec * '[1e-37]'$$,
	$$SELECT 1e300 * '[1]'::veravec$$,
	$$SELECT '[1]'::veravec * 1e-300$$,
	$$SELECT 'NaN'::float8 * '[1]'::veravec$$,
	$$SELECT 'Infinity'::float8 * '[0]'::veravec$$,
	$$SELECT subvector('[1,2,3]'::veravec, 1, 0)$$,
	$$SELECT subvector('[1,2,3]'::veravec, 4, 1)$$,
	$$SELECT subvector('[1,2,3]'::veravec, -1, 2)$$,
	$$SELECT avg(v) FROM unnest(ARRAY['[1,2]'::veravec, '[3]']) v$$,
	$$SELECT sum(v) FROM unnest(ARRAY['[1,2]'::veravec, '[3]']) v$$,
	$$SELECT sum(v) FROM unnest(ARRAY['[3e38]'::veravec, '[3e38]']) v$$
]) AS statement, error_of(statement) AS e;

-- arrays
SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT '{}'::real[]::veravec$$,
	$$SELECT '{}'::numeric[]::veravec$$,
	$$SELECT '{{1,2},{3,4}}'::real[]::veravec$$,
	$$SELECT '{NULL}'::real[]::veravec$$,
	$$SELECT '{1,NULL}'::integer[]::veravec$$,
	$$SELECT '{1,NULL}'::bigint[]::veravec$$,
	$$SELECT '{1,NULL}'::float8[]::veravec$$,
	$$SELECT '{1,NULL}'::numeric[]::veravec$$,
	$$SELECT '{NaN}'::real[]::veravec$$,
	$$SELECT '{Infinity}'::real[]::veravec$$,
	$$SELECT '{-Infinity}'::float8[]::veravec$$,
	$$SELECT '{1e300}'::float8[]::veravec$$,
	$$SELECT '{NaN}'::numeric[]::veravec$$,
	$$SELECT '{1e39}'::numeric[]::veravec$$,
	$$SELECT '{{1}}'::numeric[]::veravec$$,
	$$SELECT '[3e9]'::veravec::integer[]$$,
	$$SELECT '[1e19]'::veravec::bigint[]$$
]) AS statement, error_of(statement) AS e;

-- a function of one's own on the same symbol
CREATE FUNCTION text_array_to_veravec(text[], integer, boolean) RETURNS veravec
	AS '$libdir/vera_vec', 'array_to_veravec_wrapper' LANGUAGE C IMMUTABLE STRICT;
SELECT e.* FROM error_of($$SELECT text_array_to_veravec('{1}', -1, false)$$) AS e;
DROP FUNCTION text_array_to_veravec;

-- aggregate states
SELECT statement, e.* FROM unnest(ARRAY[
	$$SELECT veravec_accum('{}', '[1]')$$,
	$$SELECT veravec_accum('{{0}}', '[1]')$$,
	$$SELECT veravec_accum('{NULL}', '[1]')$$,
	$$SELECT veravec_accum('{1,2,3}', '[1]')$$,
	$$SELECT veravec_accum('{1,1.7e308}', '[1]')$$,
	$$SELECT veravec_accum('{1,Infinity}', '[1]')$$,
	$$SELECT veravec_combine('{}', '{0}')$$,
	$$SELECT veravec_combine('{0}', '{{0}}')$$,
	$$SELECT veravec_combine('{1,2}', '{1,2,3}')$$,
	$$SELECT veravec_combine('{1,1.7e308}', '{1,1.7e308}')$$,
	$$SELECT veravec_avg('{}')$$,
	$$SELECT veravec_avg('{1}')$$,
	$$SELECT veravec_avg('{1,NULL}')$$,
	$$SELECT veravec_avg('{1,1e300}')$$
]) AS statement, error_of(statement) AS e;

-- binary
CREATE TABLE received (v veravec(2));
CREATE FUNCTION receive(message bytea, OUT state text, OUT message_text text) LANGUAGE plpgsql AS $$
BEGIN
	-- Large objects are the way from SQL to a file (in the data directory), which COPY can read in binary.
	PERFORM lo_unlink(4711) FROM pg_largeobject_metadata WHERE oid = 4711;
	PERFORM lo_from_bytea(4711,
		'\x5047434f50590aff0d0a00' || int4send(0) || int4send(0) || int2send(1::int2)
		|| int4send(length(message)) || message || '\xffff');
	PERFORM lo_export(4711, 'vera_vec_regress.bin');
	COPY received FROM 'vera_vec_regress.bin' (FORMAT binary);
	message_text := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message_text = MESSAGE_TEXT;
END
$$;
SELECT what, r.* FROM (VALUES
	('right', '\x000200003f80000040000000'::bytea),
	('no dimensions', '\x00000000'),
	('too many dimensions', '\x3e810000'),
	('far too many dimensions', '\xffff0000'),
	('not what the column asks for', '\x000100003f800000'),
	('reserved field in use', '\x000200013f80000040000000'),
	('too short', '\x000200003f800000'),
	('empty', ''),
	('too long', '\x000200003f8000004000000000'),
	('NaN', '\x000200007fc0000040000000'),
	('infinite', '\x000200007f80000040000000'),
	('negative infinite', '\x00020000ff80000040000000')
) AS t(what, message), receive(message) AS r;
SELECT * FROM received;
DROP TABLE received;
DROP FUNCTION receive;
