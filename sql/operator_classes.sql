-- Operator classes of PostgreSQL's own access methods

CREATE OPERATOR CLASS veravec_ops
	DEFAULT FOR TYPE veravec USING btree AS
	OPERATOR 1 < ,
	OPERATOR 2 <= ,
	OPERATOR 3 = ,
	OPERATOR 4 >= ,
	OPERATOR 5 > ,
	FUNCTION 1 veravec_cmp(veravec, veravec);

COMMENT ON OPERATOR FAMILY veravec_ops USING btree IS 'order of veravec';
COMMENT ON OPERATOR CLASS veravec_ops USING btree IS 'order of veravec';

CREATE OPERATOR CLASS veravec_ops
	DEFAULT FOR TYPE veravec USING hash AS
	OPERATOR 1 = ,
	FUNCTION 1 veravec_hash(veravec),
	FUNCTION 2 veravec_hash_extended(veravec, bigint);

COMMENT ON OPERATOR FAMILY veravec_ops USING hash IS 'hashing of veravec';
COMMENT ON OPERATOR CLASS veravec_ops USING hash IS 'hashing of veravec';
