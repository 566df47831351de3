-- Casts

CREATE FUNCTION veravec_length_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'veravec_length_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_length_support(internal) IS 'tells the planner of length coercions that change nothing';

CREATE FUNCTION veravec(veravec, integer, boolean) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT veravec_length_support;

COMMENT ON FUNCTION veravec(veravec, integer, boolean) IS 'adjust veravec to typmod';

CREATE FUNCTION array_to_veravec(integer[], integer, boolean) RETURNS veravec
	AS 'MODULE_PATHNAME', 'array_to_veravec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_veravec(integer[], integer, boolean) IS 'convert int4 array to veravec';

CREATE FUNCTION array_to_veravec(bigint[], integer, boolean) RETURNS veravec
	AS 'MODULE_PATHNAME', 'array_to_veravec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_veravec(bigint[], integer, boolean) IS 'convert int8 array to veravec';

CREATE FUNCTION array_to_veravec(real[], integer, boolean) RETURNS veravec
	AS 'MODULE_PATHNAME', 'array_to_veravec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_veravec(real[], integer, boolean) IS 'convert float4 array to veravec';

CREATE FUNCTION array_to_veravec(double precision[], integer, boolean) RETURNS veravec
	AS 'MODULE_PATHNAME', 'array_to_veravec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_veravec(double precision[], integer, boolean) IS 'convert float8 array to veravec';

CREATE FUNCTION array_to_veravec(numeric[], integer, boolean) RETURNS veravec
	AS 'MODULE_PATHNAME', 'array_to_veravec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_veravec(numeric[], integer, boolean) IS 'convert numeric array to veravec';

CREATE FUNCTION veravec_to_float4(veravec, integer, boolean) RETURNS real[]
	AS 'MODULE_PATHNAME', 'veravec_to_float4_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_to_float4(veravec, integer, boolean) IS 'convert veravec to float4 array';

-- To other arrays by way of real[]: each element by PostgreSQL's own cast.

CREATE FUNCTION veravec_to_int4(veravec) RETURNS integer[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN veravec_to_float4($1, -1, false)::integer[];

COMMENT ON FUNCTION veravec_to_int4(veravec) IS 'convert veravec to int4 array';

CREATE FUNCTION veravec_to_int8(veravec) RETURNS bigint[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN veravec_to_float4($1, -1, false)::bigint[];

COMMENT ON FUNCTION veravec_to_int8(veravec) IS 'convert veravec to int8 array';

CREATE FUNCTION veravec_to_float8(veravec) RETURNS double precision[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN veravec_to_float4($1, -1, false)::double precision[];

COMMENT ON FUNCTION veravec_to_float8(veravec) IS 'convert veravec to float8 array';

CREATE FUNCTION veravec_to_numeric(veravec) RETURNS numeric[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN veravec_to_float4($1, -1, false)::numeric[];

COMMENT ON FUNCTION veravec_to_numeric(veravec) IS 'convert veravec to numeric array';

CREATE CAST (veravec AS veravec)
	WITH FUNCTION veravec(veravec, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (veravec AS veravec) IS 'adjust veravec to typmod';

CREATE CAST (integer[] AS veravec)
	WITH FUNCTION array_to_veravec(integer[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (integer[] AS veravec) IS 'convert integer[] to veravec';

CREATE CAST (bigint[] AS veravec)
	WITH FUNCTION array_to_veravec(bigint[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (bigint[] AS veravec) IS 'convert bigint[] to veravec';

CREATE CAST (real[] AS veravec)
	WITH FUNCTION array_to_veravec(real[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (real[] AS veravec) IS 'convert real[] to veravec';

CREATE CAST (double precision[] AS veravec)
	WITH FUNCTION array_to_veravec(double precision[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (double precision[] AS veravec) IS 'convert double precision[] to veravec';

CREATE CAST (numeric[] AS veravec)
	WITH FUNCTION array_to_veravec(numeric[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (numeric[] AS veravec) IS 'convert numeric[] to veravec';

CREATE CAST (veravec AS real[])
	WITH FUNCTION veravec_to_float4(veravec, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (veravec AS real[]) IS 'convert veravec to real[]';

CREATE CAST (veravec AS integer[])
	WITH FUNCTION veravec_to_int4(veravec) AS ASSIGNMENT;

COMMENT ON CAST (veravec AS integer[]) IS 'convert veravec to integer[]';

CREATE CAST (veravec AS bigint[])
	WITH FUNCTION veravec_to_int8(veravec) AS ASSIGNMENT;

COMMENT ON CAST (veravec AS bigint[]) IS 'convert veravec to bigint[]';

CREATE CAST (veravec AS double precision[])
	WITH FUNCTION veravec_to_float8(veravec) AS ASSIGNMENT;

COMMENT ON CAST (veravec AS double precision[]) IS 'convert veravec to double precision[]';

CREATE CAST (veravec AS numeric[])
	WITH FUNCTION veravec_to_numeric(veravec) AS ASSIGNMENT;

COMMENT ON CAST (veravec AS numeric[]) IS 'convert veravec to numeric[]';

-- What to_json and to_jsonb make of a vector: an array of numbers. (There need be none to jsonb for that.)

CREATE FUNCTION veravec_to_json(veravec) RETURNS json
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1::text::json;

COMMENT ON FUNCTION veravec_to_json(veravec) IS 'convert veravec to JSON';

CREATE CAST (veravec AS json)
	WITH FUNCTION veravec_to_json(veravec);

COMMENT ON CAST (veravec AS json) IS 'convert veravec to JSON';
