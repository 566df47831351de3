-- Operators

CREATE OPERATOR <-> (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = l2_distance,
	COMMUTATOR = <->
);

COMMENT ON OPERATOR <-> (veravec, veravec) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_negative_inner_product,
	COMMUTATOR = <#>
);

COMMENT ON OPERATOR <#> (veravec, veravec) IS 'negative inner product';

CREATE OPERATOR <=> (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = cosine_distance,
	COMMUTATOR = <=>
);

COMMENT ON OPERATOR <=> (veravec, veravec) IS 'cosine distance';

CREATE OPERATOR <+> (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = l1_distance,
	COMMUTATOR = <+>
);

COMMENT ON OPERATOR <+> (veravec, veravec) IS 'taxicab distance';

CREATE OPERATOR + (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_add,
	COMMUTATOR = +
);

COMMENT ON OPERATOR + (veravec, veravec) IS 'add';

CREATE OPERATOR - (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_sub
);

COMMENT ON OPERATOR - (veravec, veravec) IS 'subtract';

CREATE OPERATOR * (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_mul,
	COMMUTATOR = *
);

COMMENT ON OPERATOR * (veravec, veravec) IS 'multiply';

CREATE OPERATOR * (
	LEFTARG = double precision, RIGHTARG = veravec, FUNCTION = float8_veravec_mul,
	COMMUTATOR = *
);

COMMENT ON OPERATOR * (double precision, veravec) IS 'multiply';

CREATE OPERATOR * (
	LEFTARG = veravec, RIGHTARG = double precision, FUNCTION = veravec_float8_mul,
	COMMUTATOR = *
);

COMMENT ON OPERATOR * (veravec, double precision) IS 'multiply';

CREATE OPERATOR || (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_concat
);

COMMENT ON OPERATOR || (veravec, veravec) IS 'concatenate';

CREATE OPERATOR < (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_lt,
	COMMUTATOR = >, NEGATOR = >=,
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);

COMMENT ON OPERATOR < (veravec, veravec) IS 'less than';

CREATE OPERATOR <= (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_le,
	COMMUTATOR = >=, NEGATOR = >,
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);

COMMENT ON OPERATOR <= (veravec, veravec) IS 'less than or equal';

CREATE OPERATOR = (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_eq,
	COMMUTATOR = =, NEGATOR = <>,
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);

COMMENT ON OPERATOR = (veravec, veravec) IS 'equal';

CREATE OPERATOR <> (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_ne,
	COMMUTATOR = <>, NEGATOR = =,
	RESTRICT = neqsel, JOIN = neqjoinsel
);

COMMENT ON OPERATOR <> (veravec, veravec) IS 'not equal';

CREATE OPERATOR >= (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_ge,
	COMMUTATOR = <=, NEGATOR = <,
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);

COMMENT ON OPERATOR >= (veravec, veravec) IS 'greater than or equal';

CREATE OPERATOR > (
	LEFTARG = veravec, RIGHTARG = veravec, FUNCTION = veravec_gt,
	COMMUTATOR = <, NEGATOR = <=,
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

COMMENT ON OPERATOR > (veravec, veravec) IS 'greater than';
