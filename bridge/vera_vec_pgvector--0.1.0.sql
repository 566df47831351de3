-- vera_vec on pgvector's own types: their columns can be indexed by veraflat, with pgvector's operators, and be cast to
-- vera_vec's types, which have the same bytes, for nothing.

CREATE OPERATOR CLASS vector_l2_ops DEFAULT FOR TYPE vector USING veraflat AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	OPERATOR 2 <#> (vector, vector) FOR ORDER BY float_ops,
	OPERATOR 3 <=> (vector, vector) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY vector_l2_ops USING veraflat IS 'Euclidean distance, and others but taxicab distance';
COMMENT ON OPERATOR CLASS vector_l2_ops USING veraflat IS 'Euclidean distance, and others but taxicab distance';

CREATE OPERATOR CLASS vector_ip_ops FOR TYPE vector USING veraflat AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	OPERATOR 2 <#> (vector, vector) FOR ORDER BY float_ops,
	OPERATOR 3 <=> (vector, vector) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY vector_ip_ops USING veraflat IS 'negative inner product, and others but taxicab distance';
COMMENT ON OPERATOR CLASS vector_ip_ops USING veraflat IS 'negative inner product, and others but taxicab distance';

CREATE OPERATOR CLASS vector_cosine_ops FOR TYPE vector USING veraflat AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	OPERATOR 2 <#> (vector, vector) FOR ORDER BY float_ops,
	OPERATOR 3 <=> (vector, vector) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING veraflat IS 'cosine distance, and others but taxicab distance';
COMMENT ON OPERATOR CLASS vector_cosine_ops USING veraflat IS 'cosine distance, and others but taxicab distance';

CREATE OPERATOR CLASS vector_l1_ops FOR TYPE vector USING veraflat AS
	OPERATOR 4 <+> (vector, vector) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY vector_l1_ops USING veraflat IS 'taxicab distance';
COMMENT ON OPERATOR CLASS vector_l1_ops USING veraflat IS 'taxicab distance';

CREATE OPERATOR CLASS halfvec_l2_ops DEFAULT FOR TYPE halfvec USING veraflat AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	OPERATOR 2 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	OPERATOR 3 <=> (halfvec, halfvec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING veraflat IS 'Euclidean distance, and others but taxicab distance';
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING veraflat IS 'Euclidean distance, and others but taxicab distance';

CREATE OPERATOR CLASS halfvec_ip_ops FOR TYPE halfvec USING veraflat AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	OPERATOR 2 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	OPERATOR 3 <=> (halfvec, halfvec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING veraflat IS 'negative inner product, and others but taxicab distance';
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING veraflat IS 'negative inner product, and others but taxicab distance';

CREATE OPERATOR CLASS halfvec_cosine_ops FOR TYPE halfvec USING veraflat AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	OPERATOR 2 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	OPERATOR 3 <=> (halfvec, halfvec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING veraflat IS 'cosine distance, and others but taxicab distance';
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING veraflat IS 'cosine distance, and others but taxicab distance';

CREATE OPERATOR CLASS halfvec_l1_ops FOR TYPE halfvec USING veraflat AS
	OPERATOR 4 <+> (halfvec, halfvec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY halfvec_l1_ops USING veraflat IS 'taxicab distance';
COMMENT ON OPERATOR CLASS halfvec_l1_ops USING veraflat IS 'taxicab distance';

CREATE CAST (vector AS veravec) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (vector AS veravec) IS 'the same bytes';

CREATE CAST (veravec AS vector) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (veravec AS vector) IS 'the same bytes';

CREATE CAST (halfvec AS verahalfvec) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (halfvec AS verahalfvec) IS 'the same bytes';

CREATE CAST (verahalfvec AS halfvec) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (verahalfvec AS halfvec) IS 'the same bytes';
