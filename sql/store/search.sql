-- The document store: search.

CREATE FUNCTION vera._search_sql(relation text, operator text, score text, condition text, k bigint, skip bigint,
	has_maximum boolean, has_least boolean) RETURNS text
	AS 'MODULE_PATHNAME', 'store_search_sql_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vera._search_sql(text, text, text, text, bigint, bigint, boolean, boolean) IS
	'the statement of a search: $1 is the query, $2 the values in the condition, $3 the greatest distance, $4 the least score';

-- The same, as other searches have it within their own.
CREATE FUNCTION vera._search_sql(collection vera.collections, condition text, k bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN vera._search_sql((collection).relation::text, vera._operator((collection).metric), vera._score((collection).metric, 'distance'),
	condition, k, 0, false, false);
COMMENT ON FUNCTION vera._search_sql(vera.collections, text, bigint) IS 'the statement of a search without limits';

-- The greatest distance that may have at least this score, and somewhat more: the score is rounded, and is compared itself.
CREATE FUNCTION vera._max_distance(metric text, max_distance double precision, min_score double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(max_distance, CASE metric
	WHEN 'cosine' THEN CASE WHEN min_score = 'Infinity' THEN '-Infinity' ELSE 1 - min_score + 1e-12 * (1 + abs(min_score)) END
	WHEN 'ip' THEN -min_score
	ELSE CASE WHEN min_score > 1e-300 THEN (1 / min_score - 1) + 1e-12 * (1 + 1 / min_score) END END);
COMMENT ON FUNCTION vera._max_distance(text, double precision, double precision) IS 'the nearer of two limits of distance';

CREATE FUNCTION vera._check_search(collection vera.collections, dimension integer, k bigint, skip bigint) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	IF dimension IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'query must not be NULL';
	ELSIF dimension <> (collection).dimension THEN
		RAISE data_exception USING MESSAGE = format('expected %s dimensions, not %s', (collection).dimension, dimension),
			DETAIL = format('The query''s dimensions are not those of collection "%s".', (collection).name);
	END IF;
	PERFORM vera._check_at_least(k, 1, 'k'), vera._check_at_least(skip, 0, 'skip');
END
$$;
COMMENT ON FUNCTION vera._check_search(vera.collections, integer, bigint, bigint) IS 'an error if a search cannot be';

CREATE FUNCTION vera.search(collection text, query @extschema@.veravec, k integer DEFAULT 10, filter jsonb DEFAULT NULL,
	where_document jsonb DEFAULT NULL, max_distance double precision DEFAULT NULL, min_score double precision DEFAULT NULL,
	skip bigint DEFAULT 0)
	RETURNS TABLE (id text, content text, metadata jsonb, created_at timestamptz, distance double precision, score double precision)
	AS 'MODULE_PATHNAME', 'store_search_wrapper' LANGUAGE C STABLE ROWS 10 SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION vera.search(text, @extschema@.veravec, integer, jsonb, jsonb, double precision, double precision, bigint) IS
	'the documents nearest to a vector that pass the filters, nearest first';

CREATE FUNCTION vera.explain_search(collection text, query @extschema@.veravec, k integer DEFAULT 10, filter jsonb DEFAULT NULL,
	where_document jsonb DEFAULT NULL, max_distance double precision DEFAULT NULL, min_score double precision DEFAULT NULL,
	skip bigint DEFAULT 0, analyze_it boolean DEFAULT false) RETURNS TABLE (plan text)
	AS 'MODULE_PATHNAME', 'store_explain_search_wrapper' LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION vera.explain_search(text, @extschema@.veravec, integer, jsonb, jsonb, double precision, double precision, bigint, boolean) IS
	'how PostgreSQL does the search with these arguments';

CREATE FUNCTION vera.search_batch(collection text, queries @extschema@.veravec[], k integer DEFAULT 10, filter jsonb DEFAULT NULL,
	where_document jsonb DEFAULT NULL, max_distance double precision DEFAULT NULL, min_score double precision DEFAULT NULL)
	RETURNS TABLE (query integer, id text, content text, metadata jsonb, created_at timestamptz, distance double precision, score double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	one record;
BEGIN
	PERFORM vera._collection(collection);
	FOR one IN SELECT n::integer, q FROM unnest(queries) WITH ORDINALITY u (q, n) LOOP
		RETURN QUERY SELECT one.n, s.* FROM vera.search(collection, one.q, k, filter, where_document, max_distance, min_score) s;
	END LOOP;
END
$$;
COMMENT ON FUNCTION vera.search_batch(text, @extschema@.veravec[], integer, jsonb, jsonb, double precision, double precision) IS
	'a search for each of several vectors; `query` counts them from 1';
