-- Functions on vectors

-- Distances. What they cost the planner learns from their support function, if it knows the dimensions; if not, their
-- COST is between what they were measured to cost, against an operator on integers, for 384 dimensions (35) and for
-- 1536, whose vectors have to be fetched from TOAST storage (375). With the default of 1 PostgreSQL would think an
-- exact scan as cheap as one that compares integers, and not run it in parallel.

CREATE FUNCTION veravec_distance_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'veravec_distance_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_distance_support(internal) IS 'tells the planner what distances cost';

CREATE FUNCTION l2_distance(veravec, veravec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'veravec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT veravec_distance_support;

COMMENT ON FUNCTION l2_distance(veravec, veravec) IS 'Euclidean distance';

CREATE FUNCTION inner_product(veravec, veravec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'veravec_inner_product_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT veravec_distance_support;

COMMENT ON FUNCTION inner_product(veravec, veravec) IS 'inner product';

CREATE FUNCTION cosine_distance(veravec, veravec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'veravec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT veravec_distance_support;

COMMENT ON FUNCTION cosine_distance(veravec, veravec) IS 'cosine distance';

CREATE FUNCTION l1_distance(veravec, veravec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'veravec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT veravec_distance_support;

COMMENT ON FUNCTION l1_distance(veravec, veravec) IS 'taxicab distance';

CREATE FUNCTION veravec_negative_inner_product(veravec, veravec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'veravec_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT veravec_distance_support;

COMMENT ON FUNCTION veravec_negative_inner_product(veravec, veravec) IS 'negative inner product';

CREATE FUNCTION veravec_l2_squared_distance(veravec, veravec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'veravec_l2_squared_distance_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
	SUPPORT veravec_distance_support;

COMMENT ON FUNCTION veravec_l2_squared_distance(veravec, veravec) IS 'squared Euclidean distance';

-- Properties and parts

CREATE FUNCTION vector_dims(veravec) RETURNS integer
	AS 'MODULE_PATHNAME', 'veravec_dims_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_dims(veravec) IS 'number of dimensions';

CREATE FUNCTION vector_norm(veravec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'veravec_norm_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_norm(veravec) IS 'Euclidean norm';

CREATE FUNCTION l2_norm(veravec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'veravec_norm_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_norm(veravec) IS 'Euclidean norm';

CREATE FUNCTION l2_normalize(veravec) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_normalize_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_normalize(veravec) IS 'normalize with Euclidean norm';

CREATE FUNCTION binary_quantize(veravec) RETURNS bit
	AS 'MODULE_PATHNAME', 'veravec_binary_quantize_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION binary_quantize(veravec) IS 'binary quantize';

CREATE FUNCTION subvector(veravec, integer, integer) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_subvector_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION subvector(veravec, integer, integer) IS 'subvector';

-- Late interaction

CREATE FUNCTION maxsim(query veravec[], document veravec[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'veravec_maxsim_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;

COMMENT ON FUNCTION maxsim(veravec[], veravec[]) IS 'sum over the query''s vectors of the greatest inner product with one of the document''s';

-- Arithmetic

CREATE FUNCTION veravec_add(veravec, veravec) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_add_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_add(veravec, veravec) IS 'implementation of + operator';

CREATE FUNCTION veravec_sub(veravec, veravec) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_sub_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_sub(veravec, veravec) IS 'implementation of - operator';

CREATE FUNCTION veravec_mul(veravec, veravec) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_mul_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_mul(veravec, veravec) IS 'implementation of * operator';

CREATE FUNCTION veravec_concat(veravec, veravec) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_concat_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_concat(veravec, veravec) IS 'implementation of || operator';

CREATE FUNCTION float8_veravec_mul(double precision, veravec) RETURNS veravec
	AS 'MODULE_PATHNAME', 'float8_veravec_mul_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION float8_veravec_mul(double precision, veravec) IS 'implementation of * operator';

CREATE FUNCTION veravec_float8_mul(veravec, double precision) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_float8_mul_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_float8_mul(veravec, double precision) IS 'implementation of * operator';

-- Comparison and hashing

CREATE FUNCTION veravec_lt(veravec, veravec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'veravec_lt_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_lt(veravec, veravec) IS 'implementation of < operator';

CREATE FUNCTION veravec_le(veravec, veravec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'veravec_le_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_le(veravec, veravec) IS 'implementation of <= operator';

CREATE FUNCTION veravec_eq(veravec, veravec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'veravec_eq_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_eq(veravec, veravec) IS 'implementation of = operator';

CREATE FUNCTION veravec_ne(veravec, veravec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'veravec_ne_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_ne(veravec, veravec) IS 'implementation of <> operator';

CREATE FUNCTION veravec_ge(veravec, veravec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'veravec_ge_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_ge(veravec, veravec) IS 'implementation of >= operator';

CREATE FUNCTION veravec_gt(veravec, veravec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'veravec_gt_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_gt(veravec, veravec) IS 'implementation of > operator';

CREATE FUNCTION veravec_cmp(veravec, veravec) RETURNS integer
	AS 'MODULE_PATHNAME', 'veravec_cmp_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_cmp(veravec, veravec) IS 'less-equal-greater';

CREATE FUNCTION veravec_hash(veravec) RETURNS integer
	AS 'MODULE_PATHNAME', 'veravec_hash_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_hash(veravec) IS 'hash';

CREATE FUNCTION veravec_hash_extended(veravec, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'veravec_hash_extended_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_hash_extended(veravec, bigint) IS 'hash';

-- About this installation

CREATE FUNCTION vera_vec_simd_level() RETURNS text
	AS 'MODULE_PATHNAME', 'vera_vec_simd_level_wrapper' LANGUAGE C STABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vera_vec_simd_level() IS 'instruction set that distances are computed with';
