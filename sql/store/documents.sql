-- The document store: documents and filters.

-- Filters go to C as cstring, which is what jsonb_out gives, so that no text is copied or looked at twice.

CREATE FUNCTION vera._condition(filter cstring, where_document cstring, key_fields cstring) RETURNS text[]
	AS 'MODULE_PATHNAME', 'store_condition_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION vera._condition(cstring, cstring, cstring) IS
	'a condition in SQL for filters, and after it the elements of its parameter $2';

CREATE FUNCTION vera._match(metadata cstring, filter cstring) RETURNS boolean
	AS 'MODULE_PATHNAME', 'store_match_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vera._match(cstring, cstring) IS 'vera.match, of JSON as text';

CREATE FUNCTION vera._path(field cstring) RETURNS text[]
	AS 'MODULE_PATHNAME', 'store_path_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vera._path(cstring) IS 'the names on the way to a metadata field: of a.b, a and b';

CREATE FUNCTION vera.match(metadata jsonb, filter jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100
RETURN vera._match(jsonb_out(metadata), jsonb_out(filter));
COMMENT ON FUNCTION vera.match(jsonb, jsonb) IS 'whether metadata passes a filter of the document store';

-- The condition of a query on a collection. `$1` is the query's vector or array of ids, `$2` the filters' values.
CREATE FUNCTION vera._where(collection vera.collections, filter jsonb, where_document jsonb, with_keys boolean) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN vera._condition(jsonb_out(filter), jsonb_out(where_document), jsonb_out(CASE WHEN with_keys THEN (collection).key_fields ELSE '[]' END));
COMMENT ON FUNCTION vera._where(vera.collections, jsonb, jsonb, boolean) IS 'vera._condition for a collection';

CREATE FUNCTION vera.add_documents(collection text, ids text[], contents text[], embeddings @extschema@.veravec[],
	metadatas jsonb[] DEFAULT NULL, created_at timestamptz[] DEFAULT NULL, OUT added bigint, OUT replaced bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row vera.collections := vera._collection(collection);
	documents integer := cardinality(ids);
	target text := found_row.relation;
	wrong record;
BEGIN
	IF ids IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'ids must not be NULL', HINT = 'An id in it that is NULL is made up.';
	END IF;
	SELECT name, cardinality INTO wrong FROM (VALUES ('contents', cardinality(contents)), ('embeddings', cardinality(embeddings)),
		('metadatas', cardinality(metadatas)), ('created_at', cardinality(created_at))) a (name, cardinality)
		WHERE cardinality <> documents LIMIT 1;
	IF FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = format('%s and ids must be of the same length', wrong.name),
			DETAIL = format('They have %s and %s elements.', wrong.cardinality, documents);
	END IF;
	SELECT n INTO wrong FROM unnest(ids) WITH ORDINALITY u (i, n) WHERE i = '' LIMIT 1;
	IF FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = format('id of document %s must not be empty', wrong.n);
	END IF;
	SELECT i AS id INTO wrong FROM unnest(ids) i WHERE i IS NOT NULL GROUP BY i HAVING count(*) > 1 LIMIT 1;
	IF FOUND THEN
		RAISE cardinality_violation USING MESSAGE = format('id "%s" is given twice', wrong.id);
	END IF;
	SELECT n, @extschema@.vector_dims(e) AS dimension, i AS id INTO wrong FROM unnest(embeddings, ids) WITH ORDINALITY u (e, i, n)
		WHERE @extschema@.vector_dims(e) <> found_row.dimension LIMIT 1;
	IF FOUND THEN
		RAISE data_exception USING MESSAGE = format('expected %s dimensions, not %s', found_row.dimension, wrong.dimension),
			DETAIL = format('It is the embedding of document %s, id %s.', wrong.n, coalesce('"' || wrong.id || '"', 'NULL'));
	END IF;
	SELECT n, jsonb_typeof(m) AS type INTO wrong FROM unnest(metadatas) WITH ORDINALITY u (m, n)
		WHERE jsonb_typeof(m) NOT IN ('object', 'null') LIMIT 1;
	IF FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = format('metadata of document %s must be an object, not %s', wrong.n, wrong.type);
	END IF;
	-- In the order of their ids, so that two who add the same documents wait for each other and never in a circle.
	EXECUTE format('WITH done AS (INSERT INTO %s AS d (id, content, embedding, metadata, created_at)'
		' SELECT coalesce(i, gen_random_uuid()::text), c, e, coalesce(nullif(m, ''null''), ''{}''), coalesce(t, now())'
		' FROM unnest($1, $2, $3, $4, $5) u (i, c, e, m, t) ORDER BY i COLLATE "C"'
		' ON CONFLICT (id) DO UPDATE SET content = excluded.content, embedding = excluded.embedding,'
		' metadata = excluded.metadata, created_at = excluded.created_at'
		-- A row that was inserted has never been locked.
		' RETURNING xmax = 0 AS new) SELECT count(*) FILTER (WHERE new), count(*) FILTER (WHERE NOT new) FROM done', target)
	USING ids, contents, embeddings, metadatas, created_at INTO added, replaced;
	PERFORM vera._check_table(found_row, target);
END
$$;
COMMENT ON FUNCTION vera.add_documents(text, text[], text[], @extschema@.veravec[], jsonb[], timestamptz[]) IS
	'adds documents, replacing those whose ids are there';

CREATE FUNCTION vera.add_documents(collection text, documents jsonb, OUT added bigint, OUT replaced bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	wrong record;
BEGIN
	PERFORM vera._collection(collection);
	IF documents IS NULL OR jsonb_typeof(documents) <> 'array' THEN
		RAISE invalid_parameter_value USING MESSAGE = format('documents must be an array of objects, not %s',
			coalesce(jsonb_typeof(documents), 'NULL'));
	END IF;
	SELECT n, reason INTO wrong FROM jsonb_array_elements(documents) WITH ORDINALITY u (d, n), LATERAL (SELECT CASE
		WHEN jsonb_typeof(d) <> 'object' THEN 'is not an object'
		WHEN d - '{id,content,embedding,metadata,created_at}'::text[] <> '{}' THEN
			format('has a field %s, which is none of id, content, embedding, metadata and created_at',
				(SELECT format('"%s"', min(k)) FROM jsonb_object_keys(d - '{id,content,embedding,metadata,created_at}'::text[]) k))
		WHEN jsonb_typeof(d -> 'id') NOT IN ('string', 'null') THEN 'has an id that is not text'
		WHEN jsonb_typeof(d -> 'content') NOT IN ('string', 'null') THEN 'has a content that is not text'
		WHEN jsonb_typeof(d -> 'embedding') NOT IN ('array', 'null')
			OR jsonb_path_exists(d, 'strict $.embedding[*] ? (@.type() != "number")', silent => true)
			THEN 'has an embedding that is not an array of numbers'
		WHEN jsonb_typeof(d -> 'metadata') NOT IN ('object', 'null') THEN 'has metadata that is not an object'
		WHEN jsonb_typeof(d -> 'created_at') NOT IN ('string', 'null') THEN 'has a created_at that is not text'
		END AS reason) r
	WHERE reason IS NOT NULL LIMIT 1;
	IF FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = format('document %s %s', wrong.n, wrong.reason);
	END IF;
	SELECT a.added, a.replaced INTO added, replaced FROM (
		SELECT coalesce(array_agg(id), '{}'), array_agg(content), array_agg(embedding), array_agg(metadata), array_agg(created_at)
		FROM jsonb_to_recordset(documents) d (id text, content text, embedding @extschema@.veravec, metadata jsonb, created_at timestamptz)
	) x (ids, contents, embeddings, metadatas, times),
	vera.add_documents(collection, x.ids, x.contents, x.embeddings, x.metadatas, x.times) a;
END
$$;
COMMENT ON FUNCTION vera.add_documents(text, jsonb) IS
	'adds documents from an array of objects with id, content, embedding, metadata and created_at, none of them required';

CREATE FUNCTION vera.get_documents(collection text, ids text[] DEFAULT NULL, filter jsonb DEFAULT NULL, where_document jsonb DEFAULT NULL,
	max_documents bigint DEFAULT NULL, skip bigint DEFAULT 0, order_by text DEFAULT 'id', descending boolean DEFAULT false)
	RETURNS TABLE (id text, content text, embedding @extschema@.veravec, metadata jsonb, created_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row vera.collections := vera._collection(collection);
	condition text[] := vera._where(found_row, filter, where_document, false);
	sort text;
BEGIN
	PERFORM vera._check_at_least(coalesce(max_documents, 0), 0, 'max_documents'), vera._check_at_least(skip, 0, 'skip');
	sort := CASE
		WHEN order_by IN ('id', 'created_at') THEN order_by
		WHEN order_by LIKE 'metadata.%' THEN
			'metadata' || (SELECT string_agg(format(' -> %L', p), '') FROM unnest(vera._path(textout(substr(order_by, 10)))) p)
	END;
	IF sort IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = format('cannot order by %s', coalesce('"' || order_by || '"', 'NULL')),
			HINT = 'There are id, created_at and fields as metadata.year.';
	END IF;
	RETURN QUERY EXECUTE format('SELECT id, content, embedding, metadata, created_at FROM %s WHERE ($1 IS NULL OR id = ANY ($1)) AND %s'
		' ORDER BY %s %s NULLS LAST, id LIMIT $3 OFFSET $4', found_row.relation, condition[1], sort, CASE WHEN descending THEN 'DESC' ELSE 'ASC' END)
	USING ids, condition[2:], max_documents, skip;
END
$$;
COMMENT ON FUNCTION vera.get_documents(text, text[], jsonb, jsonb, bigint, bigint, text, boolean) IS
	'documents of these ids that pass the filters, in order of id, created_at or a metadata field';

CREATE FUNCTION vera.get_document(collection text, document text)
	RETURNS TABLE (id text, content text, embedding @extschema@.veravec, metadata jsonb, created_at timestamptz)
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM vera._check_not_empty(document, 'id of a document');
	RETURN QUERY SELECT * FROM vera.get_documents(collection, ARRAY[document]);
END
$$;
COMMENT ON FUNCTION vera.get_document(text, text) IS 'the document of that id; no row if there is none';

CREATE FUNCTION vera.count(collection text, filter jsonb DEFAULT NULL, where_document jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row vera.collections := vera._collection(collection);
	condition text[] := vera._where(found_row, filter, where_document, false);
	documents bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM %s WHERE %s', found_row.relation, condition[1]) USING NULL, condition[2:] INTO documents;
	RETURN documents;
END
$$;
COMMENT ON FUNCTION vera.count(text, jsonb, jsonb) IS 'how many documents pass the filters';

CREATE FUNCTION vera.update_metadata(collection text, ids text[], metadata jsonb, replace boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row vera.collections := vera._collection(collection);
	target text := found_row.relation;
	updated bigint;
BEGIN
	IF metadata IS NULL OR jsonb_typeof(metadata) <> 'object' THEN
		RAISE invalid_parameter_value USING MESSAGE = format('metadata must be an object, not %s', coalesce(jsonb_typeof(metadata), 'NULL'));
	END IF;
	IF ids IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'ids must not be NULL';
	END IF;
	-- The names whose new value is null go. Rows are locked in the order of their ids, as add_documents does.
	EXECUTE format('WITH found AS (SELECT id FROM %1$s WHERE id = ANY ($1) ORDER BY id COLLATE "C" FOR NO KEY UPDATE)'
		' UPDATE %1$s d SET metadata = CASE WHEN $3 THEN $2 ELSE'
		' (CASE jsonb_typeof(d.metadata) WHEN ''object'' THEN d.metadata ELSE ''{}'' END || $2) - $4 END'
		' FROM found WHERE d.id = found.id', target)
	USING ids, metadata, replace,
		(SELECT coalesce(array_agg(m.key), '{}') FROM jsonb_each(metadata) m WHERE jsonb_typeof(m.value) = 'null');
	GET DIAGNOSTICS updated = ROW_COUNT;
	PERFORM vera._check_table(found_row, target);
	RETURN updated;
END
$$;
COMMENT ON FUNCTION vera.update_metadata(text, text[], jsonb, boolean) IS
	'sets metadata fields of documents, removing those that are given as null; or all of the metadata; how many documents there were';

CREATE FUNCTION vera.delete_documents(collection text, ids text[] DEFAULT NULL, filter jsonb DEFAULT NULL,
	where_document jsonb DEFAULT NULL, everything boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row vera.collections := vera._collection(collection);
	target text := found_row.relation;
	condition text[] := vera._where(found_row, filter, where_document, false);
	is_all boolean;
	deleted bigint;
BEGIN
	-- A condition without values is the same for all documents.
	IF ids IS NULL AND cardinality(condition) = 1 AND everything IS NOT TRUE THEN
		EXECUTE 'SELECT ' || condition[1] INTO is_all;
		IF is_all THEN
			RAISE invalid_parameter_value USING MESSAGE = 'nothing says which documents to delete',
				HINT = 'Give ids or a filter, or everything => true.';
		END IF;
	END IF;
	EXECUTE format('DELETE FROM %s WHERE ($1 IS NULL OR id = ANY ($1)) AND %s', target, condition[1]) USING ids, condition[2:];
	GET DIAGNOSTICS deleted = ROW_COUNT;
	PERFORM vera._check_table(found_row, target);
	RETURN deleted;
END
$$;
COMMENT ON FUNCTION vera.delete_documents(text, text[], jsonb, jsonb, boolean) IS
	'deletes documents of these ids that pass the filters; how many there were';
