-- The index access method, its operator classes, and functions that look into its indexes.

CREATE FUNCTION veraflat_handler(internal) RETURNS index_am_handler
    AS 'MODULE_PATHNAME', 'veraflat_handler' LANGUAGE C;
COMMENT ON FUNCTION veraflat_handler(internal) IS 'handler of the access method veraflat';

CREATE ACCESS METHOD veraflat TYPE INDEX HANDLER veraflat_handler;
COMMENT ON ACCESS METHOD veraflat IS 'exact index for ORDER BY distance';

CREATE OPERATOR CLASS veravec_ops DEFAULT FOR TYPE veravec USING veraflat AS
    OPERATOR 1 <-> (veravec, veravec) FOR ORDER BY float_ops,
    OPERATOR 2 <#> (veravec, veravec) FOR ORDER BY float_ops,
    OPERATOR 3 <=> (veravec, veravec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY veravec_ops USING veraflat IS 'distances of vectors, without taxicab distance';
COMMENT ON OPERATOR CLASS veravec_ops USING veraflat IS 'Euclidean distance, negative inner product, cosine distance';

CREATE OPERATOR CLASS veravec_l1_ops FOR TYPE veravec USING veraflat AS
    OPERATOR 4 <+> (veravec, veravec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR FAMILY veravec_l1_ops USING veraflat IS 'taxicab distance of vectors';
COMMENT ON OPERATOR CLASS veravec_l1_ops USING veraflat IS 'taxicab distance';

CREATE FUNCTION veraflat_index_info(index regclass,
    OUT format_version int, OUT built_by text, OUT codes text, OUT dimensions int, OUT key_columns int, OUT rows bigint, OUT free_slots bigint,
    OUT segments bigint, OUT scan_bytes bigint, OUT fine_bytes bigint, OUT directory_bytes bigint,
    OUT other_bytes bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'veraflat_index_info_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 1;
COMMENT ON FUNCTION veraflat_index_info(regclass) IS 'what is in a veraflat index';

CREATE FUNCTION veraflat_check(index regclass, heapallindexed boolean DEFAULT true) RETURNS void
    AS 'MODULE_PATHNAME', 'veraflat_check_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION veraflat_check(regclass, boolean) IS 'raises an error if a veraflat index is corrupted';
REVOKE ALL ON FUNCTION veraflat_check(regclass, boolean) FROM PUBLIC;

CREATE FUNCTION veraflat_scan_stats(
    OUT rows_bounded bigint, OUT rows_refined bigint, OUT rows_returned bigint, OUT passes bigint, OUT pages_read bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'veraflat_scan_stats_wrapper' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1;
COMMENT ON FUNCTION veraflat_scan_stats() IS 'what the last veraflat index scan of this session did';
