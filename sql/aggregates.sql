-- Aggregates

CREATE FUNCTION veravec_accum(double precision[], veravec) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'veravec_accum_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_accum(double precision[], veravec) IS 'aggregate transition function';

CREATE FUNCTION veravec_combine(double precision[], double precision[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'veravec_combine_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_combine(double precision[], double precision[]) IS 'aggregate combine function';

CREATE FUNCTION veravec_avg(double precision[]) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_avg_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_avg(double precision[]) IS 'aggregate final function';

CREATE AGGREGATE avg(veravec) (
	SFUNC = veravec_accum,
	STYPE = double precision[],
	FINALFUNC = veravec_avg,
	COMBINEFUNC = veravec_combine,
	INITCOND = '{0}',
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE avg(veravec) IS 'the average (arithmetic mean) as veravec of all veravec values';

CREATE AGGREGATE sum(veravec) (
	SFUNC = veravec_add,
	STYPE = veravec,
	COMBINEFUNC = veravec_add,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE sum(veravec) IS 'sum as veravec across all veravec input values';
