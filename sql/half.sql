-- The type verahalfvec, and all that goes with it. Made by scripts/half_sql.py of what there is for veravec, and not
-- edited by hand.

-- The type verahalfvec

CREATE TYPE verahalfvec;

CREATE FUNCTION verahalfvec_in(cstring, oid, integer) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_in_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_in(cstring, oid, integer) IS 'I/O';

CREATE FUNCTION verahalfvec_out(verahalfvec) RETURNS cstring
	AS 'MODULE_PATHNAME', 'verahalfvec_out_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_out(verahalfvec) IS 'I/O';

CREATE FUNCTION verahalfvec_typmod_in(cstring[]) RETURNS integer
	AS 'MODULE_PATHNAME', 'verahalfvec_typmod_in_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_typmod_in(cstring[]) IS 'I/O typmod';

CREATE FUNCTION verahalfvec_recv(internal, oid, integer) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_recv_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_recv(internal, oid, integer) IS 'I/O';

CREATE FUNCTION verahalfvec_send(verahalfvec) RETURNS bytea
	AS 'MODULE_PATHNAME', 'verahalfvec_send_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_send(verahalfvec) IS 'I/O';

-- Stored out of line when large, but never compressed: embeddings do not compress, and trying costs time.
CREATE TYPE verahalfvec (
	INPUT     = verahalfvec_in,
	OUTPUT    = verahalfvec_out,
	TYPMOD_IN = verahalfvec_typmod_in,
	RECEIVE   = verahalfvec_recv,
	SEND      = verahalfvec_send,
	STORAGE   = external,
	CATEGORY  = 'v'
);

COMMENT ON TYPE verahalfvec IS 'half-precision vector';
-- Functions on vectors

-- Distances. What they cost the planner learns from their support function, if it knows the dimensions; if not, their
-- COST is between what they were measured to cost, against an operator on integers, for 384 dimensions (35) and for
-- 1536, whose vectors have to be fetched from TOAST storage (375). With the default of 1 PostgreSQL would think an
-- exact scan as cheap as one that compares integers, and not run it in parallel.

CREATE FUNCTION verahalfvec_distance_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'verahalfvec_distance_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_distance_support(internal) IS 'tells the planner what distances cost';

CREATE FUNCTION l2_distance(verahalfvec, verahalfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'verahalfvec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT verahalfvec_distance_support;

COMMENT ON FUNCTION l2_distance(verahalfvec, verahalfvec) IS 'Euclidean distance';

CREATE FUNCTION inner_product(verahalfvec, verahalfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'verahalfvec_inner_product_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT verahalfvec_distance_support;

COMMENT ON FUNCTION inner_product(verahalfvec, verahalfvec) IS 'inner product';

CREATE FUNCTION cosine_distance(verahalfvec, verahalfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'verahalfvec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT verahalfvec_distance_support;

COMMENT ON FUNCTION cosine_distance(verahalfvec, verahalfvec) IS 'cosine distance';

CREATE FUNCTION l1_distance(verahalfvec, verahalfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'verahalfvec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT verahalfvec_distance_support;

COMMENT ON FUNCTION l1_distance(verahalfvec, verahalfvec) IS 'taxicab distance';

CREATE FUNCTION verahalfvec_negative_inner_product(verahalfvec, verahalfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'verahalfvec_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT verahalfvec_distance_support;

COMMENT ON FUNCTION verahalfvec_negative_inner_product(verahalfvec, verahalfvec) IS 'negative inner product';

CREATE FUNCTION verahalfvec_l2_squared_distance(verahalfvec, verahalfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'verahalfvec_l2_squared_distance_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT verahalfvec_distance_support;

COMMENT ON FUNCTION verahalfvec_l2_squared_distance(verahalfvec, verahalfvec) IS 'squared Euclidean distance';

-- Properties and parts

CREATE FUNCTION vector_dims(verahalfvec) RETURNS integer
	AS 'MODULE_PATHNAME', 'verahalfvec_dims_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_dims(verahalfvec) IS 'number of dimensions';

CREATE FUNCTION l2_norm(verahalfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'verahalfvec_norm_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_norm(verahalfvec) IS 'Euclidean norm';

CREATE FUNCTION l2_normalize(verahalfvec) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_normalize_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_normalize(verahalfvec) IS 'normalize with Euclidean norm';

CREATE FUNCTION binary_quantize(verahalfvec) RETURNS bit
	AS 'MODULE_PATHNAME', 'verahalfvec_binary_quantize_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION binary_quantize(verahalfvec) IS 'binary quantize';

CREATE FUNCTION subvector(verahalfvec, integer, integer) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_subvector_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION subvector(verahalfvec, integer, integer) IS 'subvector';

-- Late interaction

CREATE FUNCTION maxsim(query verahalfvec[], document verahalfvec[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'verahalfvec_maxsim_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;

COMMENT ON FUNCTION maxsim(verahalfvec[], verahalfvec[]) IS 'sum over the query''s vectors of the greatest inner product with one of the document''s';

-- Arithmetic

CREATE FUNCTION verahalfvec_add(verahalfvec, verahalfvec) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_add_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_add(verahalfvec, verahalfvec) IS 'implementation of + operator';

CREATE FUNCTION verahalfvec_sub(verahalfvec, verahalfvec) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_sub_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_sub(verahalfvec, verahalfvec) IS 'implementation of - operator';

CREATE FUNCTION verahalfvec_mul(verahalfvec, verahalfvec) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_mul_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_mul(verahalfvec, verahalfvec) IS 'implementation of * operator';

CREATE FUNCTION verahalfvec_concat(verahalfvec, verahalfvec) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_concat_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_concat(verahalfvec, verahalfvec) IS 'implementation of || operator';

CREATE FUNCTION float8_verahalfvec_mul(double precision, verahalfvec) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'float8_verahalfvec_mul_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION float8_verahalfvec_mul(double precision, verahalfvec) IS 'implementation of * operator';

CREATE FUNCTION verahalfvec_float8_mul(verahalfvec, double precision) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_float8_mul_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_float8_mul(verahalfvec, double precision) IS 'implementation of * operator';

-- Comparison and hashing

CREATE FUNCTION verahalfvec_lt(verahalfvec, verahalfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'verahalfvec_lt_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_lt(verahalfvec, verahalfvec) IS 'implementation of < operator';

CREATE FUNCTION verahalfvec_le(verahalfvec, verahalfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'verahalfvec_le_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_le(verahalfvec, verahalfvec) IS 'implementation of <= operator';

CREATE FUNCTION verahalfvec_eq(verahalfvec, verahalfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'verahalfvec_eq_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_eq(verahalfvec, verahalfvec) IS 'implementation of = operator';

CREATE FUNCTION verahalfvec_ne(verahalfvec, verahalfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'verahalfvec_ne_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_ne(verahalfvec, verahalfvec) IS 'implementation of <> operator';

CREATE FUNCTION verahalfvec_ge(verahalfvec, verahalfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'verahalfvec_ge_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_ge(verahalfvec, verahalfvec) IS 'implementation of >= operator';

CREATE FUNCTION verahalfvec_gt(verahalfvec, verahalfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'verahalfvec_gt_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_gt(verahalfvec, verahalfvec) IS 'implementation of > operator';

CREATE FUNCTION verahalfvec_cmp(verahalfvec, verahalfvec) RETURNS integer
	AS 'MODULE_PATHNAME', 'verahalfvec_cmp_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_cmp(verahalfvec, verahalfvec) IS 'less-equal-greater';

CREATE FUNCTION verahalfvec_hash(verahalfvec) RETURNS integer
	AS 'MODULE_PATHNAME', 'verahalfvec_hash_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_hash(verahalfvec) IS 'hash';

CREATE FUNCTION verahalfvec_hash_extended(verahalfvec, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'verahalfvec_hash_extended_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_hash_extended(verahalfvec, bigint) IS 'hash';
-- Operators

CREATE OPERATOR <-> (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = l2_distance,
	COMMUTATOR = <->
);

COMMENT ON OPERATOR <-> (verahalfvec, verahalfvec) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_negative_inner_product,
	COMMUTATOR = <#>
);

COMMENT ON OPERATOR <#> (verahalfvec, verahalfvec) IS 'negative inner product';

CREATE OPERATOR <=> (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = cosine_distance,
	COMMUTATOR = <=>
);

COMMENT ON OPERATOR <=> (verahalfvec, verahalfvec) IS 'cosine distance';

CREATE OPERATOR <+> (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = l1_distance,
	COMMUTATOR = <+>
);

COMMENT ON OPERATOR <+> (verahalfvec, verahalfvec) IS 'taxicab distance';

CREATE OPERATOR + (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_add,
	COMMUTATOR = +
);

COMMENT ON OPERATOR + (verahalfvec, verahalfvec) IS 'add';

CREATE OPERATOR - (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_sub
);

COMMENT ON OPERATOR - (verahalfvec, verahalfvec) IS 'subtract';

CREATE OPERATOR * (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_mul,
	COMMUTATOR = *
);

COMMENT ON OPERATOR * (verahalfvec, verahalfvec) IS 'multiply';

CREATE OPERATOR * (
	LEFTARG = double precision, RIGHTARG = verahalfvec, FUNCTION = float8_verahalfvec_mul,
	COMMUTATOR = *
);

COMMENT ON OPERATOR * (double precision, verahalfvec) IS 'multiply';

CREATE OPERATOR * (
	LEFTARG = verahalfvec, RIGHTARG = double precision, FUNCTION = verahalfvec_float8_mul,
	COMMUTATOR = *
);

COMMENT ON OPERATOR * (verahalfvec, double precision) IS 'multiply';

CREATE OPERATOR || (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_concat
);

COMMENT ON OPERATOR || (verahalfvec, verahalfvec) IS 'concatenate';

CREATE OPERATOR < (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_lt,
	COMMUTATOR = >, NEGATOR = >=,
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);

COMMENT ON OPERATOR < (verahalfvec, verahalfvec) IS 'less than';

CREATE OPERATOR <= (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_le,
	COMMUTATOR = >=, NEGATOR = >,
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);

COMMENT ON OPERATOR <= (verahalfvec, verahalfvec) IS 'less than or equal';

CREATE OPERATOR = (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_eq,
	COMMUTATOR = =, NEGATOR = <>,
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);

COMMENT ON OPERATOR = (verahalfvec, verahalfvec) IS 'equal';

CREATE OPERATOR <> (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_ne,
	COMMUTATOR = <>, NEGATOR = =,
	RESTRICT = neqsel, JOIN = neqjoinsel
);

COMMENT ON OPERATOR <> (verahalfvec, verahalfvec) IS 'not equal';

CREATE OPERATOR >= (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_ge,
	COMMUTATOR = <=, NEGATOR = <,
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);

COMMENT ON OPERATOR >= (verahalfvec, verahalfvec) IS 'greater than or equal';

CREATE OPERATOR > (
	LEFTARG = verahalfvec, RIGHTARG = verahalfvec, FUNCTION = verahalfvec_gt,
	COMMUTATOR = <, NEGATOR = <=,
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

COMMENT ON OPERATOR > (verahalfvec, verahalfvec) IS 'greater than';
-- Casts

CREATE FUNCTION verahalfvec_length_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'verahalfvec_length_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_length_support(internal) IS 'tells the planner of length coercions that change nothing';

CREATE FUNCTION verahalfvec(verahalfvec, integer, boolean) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT verahalfvec_length_support;

COMMENT ON FUNCTION verahalfvec(verahalfvec, integer, boolean) IS 'adjust verahalfvec to typmod';

CREATE FUNCTION array_to_verahalfvec(integer[], integer, boolean) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'array_to_verahalfvec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_verahalfvec(integer[], integer, boolean) IS 'convert int4 array to verahalfvec';

CREATE FUNCTION array_to_verahalfvec(bigint[], integer, boolean) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'array_to_verahalfvec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_verahalfvec(bigint[], integer, boolean) IS 'convert int8 array to verahalfvec';

CREATE FUNCTION array_to_verahalfvec(real[], integer, boolean) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'array_to_verahalfvec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_verahalfvec(real[], integer, boolean) IS 'convert float4 array to verahalfvec';

CREATE FUNCTION array_to_verahalfvec(double precision[], integer, boolean) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'array_to_verahalfvec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_verahalfvec(double precision[], integer, boolean) IS 'convert float8 array to verahalfvec';

CREATE FUNCTION array_to_verahalfvec(numeric[], integer, boolean) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'array_to_verahalfvec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_verahalfvec(numeric[], integer, boolean) IS 'convert numeric array to verahalfvec';

CREATE FUNCTION verahalfvec_to_float4(verahalfvec, integer, boolean) RETURNS real[]
	AS 'MODULE_PATHNAME', 'verahalfvec_to_float4_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_to_float4(verahalfvec, integer, boolean) IS 'convert verahalfvec to float4 array';

-- To other arrays by way of real[]: each element by PostgreSQL's own cast.

CREATE FUNCTION verahalfvec_to_int4(verahalfvec) RETURNS integer[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN verahalfvec_to_float4($1, -1, false)::integer[];

COMMENT ON FUNCTION verahalfvec_to_int4(verahalfvec) IS 'convert verahalfvec to int4 array';

CREATE FUNCTION verahalfvec_to_int8(verahalfvec) RETURNS bigint[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN verahalfvec_to_float4($1, -1, false)::bigint[];

COMMENT ON FUNCTION verahalfvec_to_int8(verahalfvec) IS 'convert verahalfvec to int8 array';

CREATE FUNCTION verahalfvec_to_float8(verahalfvec) RETURNS double precision[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN verahalfvec_to_float4($1, -1, false)::double precision[];

COMMENT ON FUNCTION verahalfvec_to_float8(verahalfvec) IS 'convert verahalfvec to float8 array';

CREATE FUNCTION verahalfvec_to_numeric(verahalfvec) RETURNS numeric[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN verahalfvec_to_float4($1, -1, false)::numeric[];

COMMENT ON FUNCTION verahalfvec_to_numeric(verahalfvec) IS 'convert verahalfvec to numeric array';

CREATE CAST (verahalfvec AS verahalfvec)
	WITH FUNCTION verahalfvec(verahalfvec, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (verahalfvec AS verahalfvec) IS 'adjust verahalfvec to typmod';

CREATE CAST (integer[] AS verahalfvec)
	WITH FUNCTION array_to_verahalfvec(integer[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (integer[] AS verahalfvec) IS 'convert integer[] to verahalfvec';

CREATE CAST (bigint[] AS verahalfvec)
	WITH FUNCTION array_to_verahalfvec(bigint[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (bigint[] AS verahalfvec) IS 'convert bigint[] to verahalfvec';

CREATE CAST (real[] AS verahalfvec)
	WITH FUNCTION array_to_verahalfvec(real[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (real[] AS verahalfvec) IS 'convert real[] to verahalfvec';

CREATE CAST (double precision[] AS verahalfvec)
	WITH FUNCTION array_to_verahalfvec(double precision[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (double precision[] AS verahalfvec) IS 'convert double precision[] to verahalfvec';

CREATE CAST (numeric[] AS verahalfvec)
	WITH FUNCTION array_to_verahalfvec(numeric[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (numeric[] AS verahalfvec) IS 'convert numeric[] to verahalfvec';

CREATE CAST (verahalfvec AS real[])
	WITH FUNCTION verahalfvec_to_float4(verahalfvec, integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (verahalfvec AS real[]) IS 'convert verahalfvec to real[]';

CREATE CAST (verahalfvec AS integer[])
	WITH FUNCTION verahalfvec_to_int4(verahalfvec) AS ASSIGNMENT;

COMMENT ON CAST (verahalfvec AS integer[]) IS 'convert verahalfvec to integer[]';

CREATE CAST (verahalfvec AS bigint[])
	WITH FUNCTION verahalfvec_to_int8(verahalfvec) AS ASSIGNMENT;

COMMENT ON CAST (verahalfvec AS bigint[]) IS 'convert verahalfvec to bigint[]';

CREATE CAST (verahalfvec AS double precision[])
	WITH FUNCTION verahalfvec_to_float8(verahalfvec) AS ASSIGNMENT;

COMMENT ON CAST (verahalfvec AS double precision[]) IS 'convert verahalfvec to double precision[]';

CREATE CAST (verahalfvec AS numeric[])
	WITH FUNCTION verahalfvec_to_numeric(verahalfvec) AS ASSIGNMENT;

COMMENT ON CAST (verahalfvec AS numeric[]) IS 'convert verahalfvec to numeric[]';

-- What to_json and to_jsonb make of a vector: an array of numbers. (There need be none to jsonb for that.)

CREATE FUNCTION verahalfvec_to_json(verahalfvec) RETURNS json
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1::text::json;

COMMENT ON FUNCTION verahalfvec_to_json(verahalfvec) IS 'convert verahalfvec to JSON';

CREATE CAST (verahalfvec AS json)
	WITH FUNCTION verahalfvec_to_json(verahalfvec);

COMMENT ON CAST (verahalfvec AS json) IS 'convert verahalfvec to JSON';
-- Aggregates

CREATE FUNCTION verahalfvec_accum(double precision[], verahalfvec) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'verahalfvec_accum_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_accum(double precision[], verahalfvec) IS 'aggregate transition function';

CREATE FUNCTION verahalfvec_combine(double precision[], double precision[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'verahalfvec_combine_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_combine(double precision[], double precision[]) IS 'aggregate combine function';

CREATE FUNCTION verahalfvec_avg(double precision[]) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'verahalfvec_avg_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_avg(double precision[]) IS 'aggregate final function';

CREATE AGGREGATE avg(verahalfvec) (
	SFUNC = verahalfvec_accum,
	STYPE = double precision[],
	FINALFUNC = verahalfvec_avg,
	COMBINEFUNC = verahalfvec_combine,
	INITCOND = '{0}',
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE avg(verahalfvec) IS 'the average (arithmetic mean) as verahalfvec of all verahalfvec values';

CREATE AGGREGATE sum(verahalfvec) (
	SFUNC = verahalfvec_add,
	STYPE = verahalfvec,
	COMBINEFUNC = verahalfvec_add,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE sum(verahalfvec) IS 'sum as verahalfvec across all verahalfvec input values';
-- Operator classes of PostgreSQL's own access methods

CREATE OPERATOR CLASS verahalfvec_ops
	DEFAULT FOR TYPE verahalfvec USING btree AS
	OPERATOR 1 < ,
	OPERATOR 2 <= ,
	OPERATOR 3 = ,
	OPERATOR 4 >= ,
	OPERATOR 5 > ,
	FUNCTION 1 verahalfvec_cmp(verahalfvec, verahalfvec);

COMMENT ON OPERATOR FAMILY verahalfvec_ops USING btree IS 'order of verahalfvec';
COMMENT ON OPERATOR CLASS verahalfvec_ops USING btree IS 'order of verahalfvec';

CREATE OPERATOR CLASS verahalfvec_ops
	DEFAULT FOR TYPE verahalfvec USING hash AS
	OPERATOR 1 = ,
	FUNCTION 1 verahalfvec_hash(verahalfvec),
	FUNCTION 2 verahalfvec_hash_extended(verahalfvec, bigint);

COMMENT ON OPERATOR FAMILY verahalfvec_ops USING hash IS 'hashing of verahalfvec';
COMMENT ON OPERATOR CLASS verahalfvec_ops USING hash IS 'hashing of verahalfvec';

CREATE OPERATOR CLASS verahalfvec_ops DEFAULT FOR TYPE verahalfvec USING veraflat AS
    OPERATOR 1 <-> (verahalfvec, verahalfvec) FOR ORDER BY float_ops,
    OPERATOR 2 <#> (verahalfvec, verahalfvec) FOR ORDER BY float_ops,
    OPERATOR 3 <=> (verahalfvec, verahalfvec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY verahalfvec_ops USING veraflat IS 'distances of vectors, without taxicab distance';
COMMENT ON OPERATOR CLASS verahalfvec_ops USING veraflat IS 'Euclidean distance, negative inner product, cosine distance';

CREATE OPERATOR CLASS verahalfvec_l1_ops FOR TYPE verahalfvec USING veraflat AS
    OPERATOR 4 <+> (verahalfvec, verahalfvec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY verahalfvec_l1_ops USING veraflat IS 'taxicab distance of vectors';
COMMENT ON OPERATOR CLASS verahalfvec_l1_ops USING veraflat IS 'taxicab distance';

-- Casts between vectors of single and of half precision, as of pgvector's types

CREATE FUNCTION veravec_to_verahalfvec(veravec, integer, boolean) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'veravec_to_verahalfvec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_to_verahalfvec(veravec, integer, boolean) IS 'convert veravec to verahalfvec';

CREATE FUNCTION verahalfvec_to_veravec(verahalfvec, integer, boolean) RETURNS veravec
	AS 'MODULE_PATHNAME', 'verahalfvec_to_veravec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_to_veravec(verahalfvec, integer, boolean) IS 'convert verahalfvec to veravec';

CREATE CAST (veravec AS verahalfvec)
	WITH FUNCTION veravec_to_verahalfvec(veravec, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (veravec AS verahalfvec) IS 'convert veravec to verahalfvec';

CREATE CAST (verahalfvec AS veravec)
	WITH FUNCTION verahalfvec_to_veravec(verahalfvec, integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (verahalfvec AS veravec) IS 'convert verahalfvec to veravec';
