-- The document store: collections.
--
-- A collection is a plain table with an index, made by create_collection, and a row in vera.collections. All functions
-- run with the rights of who calls them, so that grants and row-level security of the tables hold; and with a search
-- path of pg_catalog alone, so that nobody else's objects are found: not even by a better fit of argument types in the
-- schema of the extension, where others may be allowed to create functions. Arguments that have to be the caller's, as
-- the schema in which he works, come by default values, which are evaluated outside.

CREATE SCHEMA vera;
COMMENT ON SCHEMA vera IS 'document store: collections of documents with embeddings, and search in them';
GRANT USAGE ON SCHEMA vera TO PUBLIC;

CREATE TABLE vera.collections (
	name text COLLATE "C" PRIMARY KEY CHECK (name <> ''),
	relation regclass NOT NULL UNIQUE,
	dimension integer NOT NULL,
	metric text NOT NULL CHECK (metric IN ('cosine', 'l2', 'ip', 'l1')),
	key_fields jsonb NOT NULL DEFAULT '[]'
);
COMMENT ON TABLE vera.collections IS 'collections of the document store, kept by its functions';
COMMENT ON COLUMN vera.collections.relation IS 'table with the documents; follows when that is renamed';
COMMENT ON COLUMN vera.collections.key_fields IS
	'metadata fields with columns of their own in the index: [{"path": ["field"], "column": "key_field", "type": "text"}]';
-- What has lost its table is not dumped: its number might be another table's in the database that it is restored to.
SELECT pg_extension_config_dump('vera.collections', 'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation AND c.relkind = ''r'')');

-- Everybody may make collections; what is said of one may change only who owns its table. What has lost its table may
-- be removed by anyone. It is a trigger that sees to that, not row-level security, under which only superusers could
-- dump and restore. It also sees that collections are tables: reading a view runs what its owner has written.
GRANT SELECT, INSERT, UPDATE, DELETE ON vera.collections TO PUBLIC;

CREATE FUNCTION vera._check_plain(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
	problem text := (SELECT CASE WHEN c.relkind <> 'r' THEN 'It is not an ordinary table.' WHEN c.relpersistence = 't' THEN 'It is a temporary table.' END
		FROM pg_class c WHERE c.oid = relation);
BEGIN
	IF problem IS NOT NULL THEN
		RAISE wrong_object_type USING MESSAGE = format('table %s cannot be a collection', relation), DETAIL = problem;
	END IF;
END
$$;
COMMENT ON FUNCTION vera._check_plain(regclass) IS 'an error if something is not an ordinary, permanent table';

CREATE FUNCTION vera._check_owner() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	relation regclass;
BEGIN
	IF TG_OP <> 'DELETE' THEN
		PERFORM vera._check_plain(NEW.relation);
	END IF;
	FOREACH relation IN ARRAY CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.relation] WHEN 'DELETE' THEN ARRAY[OLD.relation]
		ELSE ARRAY[OLD.relation, NEW.relation] END LOOP
		IF NOT (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = relation) THEN
			RAISE insufficient_privilege USING MESSAGE = format('must be owner of table %s', relation);
		END IF;
	END LOOP;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION vera._check_owner() IS 'an error if the current user does not own the table of a collection, or it is none';
CREATE TRIGGER check_owner BEFORE INSERT OR UPDATE OR DELETE ON vera.collections FOR EACH ROW EXECUTE FUNCTION vera._check_owner();
COMMENT ON TRIGGER check_owner ON vera.collections IS 'collections are changed by the owners of their tables';

CREATE FUNCTION vera._check_not_empty(value text, what text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	IF value IS NULL OR value = '' THEN
		RAISE invalid_parameter_value USING MESSAGE = format('%s must not be empty', what);
	END IF;
END
$$;
COMMENT ON FUNCTION vera._check_not_empty(text, text) IS 'an error if there is nothing in it';

CREATE FUNCTION vera._check_at_least(value bigint, minimum bigint, what text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	IF value IS NULL OR value < minimum THEN
		RAISE invalid_parameter_value USING MESSAGE = format('%s must be at least %s, not %s', what, minimum, coalesce(value::text, 'NULL'));
	END IF;
END
$$;
COMMENT ON FUNCTION vera._check_at_least(bigint, bigint, text) IS 'an error if a number is too small';

-- Whether there is such a table, now: a snapshot may still see the entry in pg_class of one that is gone.
CREATE FUNCTION vera._exists(relation regclass) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_table_is_visible(relation) IS NOT NULL;
COMMENT ON FUNCTION vera._exists(regclass) IS 'whether there is such a table';

-- What the other functions ask first.
CREATE FUNCTION vera._collection(name text) RETURNS vera.collections
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
	found_row vera.collections;
BEGIN
	PERFORM vera._check_not_empty(name, 'name of a collection');
	SELECT * INTO found_row FROM vera.collections c WHERE c.name = _collection.name;
	IF NOT FOUND THEN
		RAISE undefined_table USING MESSAGE = format('collection "%s" does not exist', name),
			HINT = 'vera.list_collections() shows what there is; vera.create_collection makes one.';
	END IF;
	IF NOT vera._exists(found_row.relation) THEN
		RAISE undefined_table USING MESSAGE = format('the table of collection "%s" does not exist', name),
			DETAIL = 'It was dropped without vera.delete_collection.',
			HINT = format('SELECT vera.delete_collection(%L) removes what is left of it.', name);
	END IF;
	RETURN found_row;
END
$$;
COMMENT ON FUNCTION vera._collection(text) IS 'the collection of that name, or an error';

-- Statements name tables, and a table's name may be another's by the time that the statement has locked it. After that no
-- name changes until the transaction ends. What changes documents asks, when it has done so, whether it was the right table.
CREATE FUNCTION vera._check_table(collection vera.collections, used text) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF to_regclass(used) IS DISTINCT FROM (collection).relation THEN
		RAISE serialization_failure USING MESSAGE = format('the table of collection "%s" was renamed at the same time', (collection).name),
			HINT = 'The statement can be tried again.';
	END IF;
END
$$;
COMMENT ON FUNCTION vera._check_table(vera.collections, text) IS 'an error if a name that was used is not that of a collection''s table';

CREATE FUNCTION vera._metric(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	canonical text := CASE lower(name)
		WHEN 'cosine' THEN 'cosine'
		WHEN 'l2' THEN 'l2' WHEN 'euclidean' THEN 'l2' WHEN 'euclid' THEN 'l2'
		WHEN 'ip' THEN 'ip' WHEN 'inner_product' THEN 'ip' WHEN 'dot' THEN 'ip'
		WHEN 'l1' THEN 'l1' WHEN 'manhattan' THEN 'l1' WHEN 'taxicab' THEN 'l1'
	END;
BEGIN
	IF canonical IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = format('unknown metric %s', coalesce('"' || name || '"', 'NULL')),
			HINT = 'There are cosine, l2, ip (inner product) and l1.';
	END IF;
	RETURN canonical;
END
$$;
COMMENT ON FUNCTION vera._metric(text) IS 'the name under which a metric is kept';

CREATE FUNCTION vera._operator(metric text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN 'OPERATOR(@extschema@.' || CASE metric WHEN 'cosine' THEN '<=>' WHEN 'l2' THEN '<->' WHEN 'ip' THEN '<#>' ELSE '<+>' END || ')';
COMMENT ON FUNCTION vera._operator(text) IS 'the distance operator of a metric, as it is written in SQL';

CREATE FUNCTION vera._score(metric text, distance text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE metric WHEN 'cosine' THEN '1 - ' || distance WHEN 'ip' THEN '-' || distance ELSE '1 / (1 + ' || distance || ')' END;
COMMENT ON FUNCTION vera._score(text, text) IS 'an expression in SQL of the score that a distance means: more is nearer';

-- A name that a table can have, or has already.
CREATE FUNCTION vera._check_name(name text, schema name, own regclass) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	PERFORM vera._check_not_empty(name, 'name of a collection');
	IF octet_length(name) > 63 THEN
		RAISE name_too_long USING MESSAGE = format('name of collection "%s" is too long', name),
			DETAIL = format('It has %s bytes, and may have 63.', octet_length(name));
	ELSIF EXISTS (SELECT FROM vera.collections c WHERE c.name = _check_name.name) THEN
		PERFORM vera._collection(name); -- says it if its table is gone
		RAISE duplicate_object USING MESSAGE = format('collection "%s" already exists', name);
	ELSIF EXISTS (SELECT FROM pg_class WHERE relname = name AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = schema)
		AND oid IS DISTINCT FROM own) THEN
		RAISE duplicate_table USING MESSAGE = format('relation "%s" already exists in schema "%s"', name, schema),
			HINT = 'Choose another name, or another schema.';
	END IF;
END
$$;
COMMENT ON FUNCTION vera._check_name(text, name, regclass) IS 'an error if a collection cannot have that name there';

CREATE FUNCTION vera._check_encoding() RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	IF getdatabaseencoding() <> 'UTF8' THEN
		RAISE feature_not_supported USING MESSAGE = 'the document store needs a database whose encoding is UTF8',
			DETAIL = format('This one''s is %s.', getdatabaseencoding());
	END IF;
END
$$;
COMMENT ON FUNCTION vera._check_encoding() IS 'an error if text is in another encoding than JSON';

-- `field` or `field type`: ARRAY['tenant', 'year numeric', 'author.name text'].
CREATE FUNCTION vera._key_fields(definitions text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	definition text;
	parts text[];
	key_column text;
	columns text[] := '{}';
	result jsonb := '[]';
BEGIN
	FOREACH definition IN ARRAY coalesce(definitions, '{}') LOOP
		parts := regexp_match(definition, '^[[:space:]]*([^[:space:]].*?)(?:[[:space:]]+(text|numeric|boolean))?[[:space:]]*$');
		IF parts IS NULL OR parts[1] ~ '(^|[.])([.]|$)' OR strpos(parts[1], chr(92)) > 0 THEN -- chr(92) is a backslash
			RAISE invalid_parameter_value USING
				MESSAGE = format('invalid key field %s', coalesce('"' || definition || '"', 'NULL')),
				HINT = 'Give the name of a metadata field, and text, numeric or boolean, as in ''year numeric''.';
		END IF;
		key_column := 'key_' || parts[1];
		IF octet_length(key_column) > 63 THEN
			RAISE name_too_long USING MESSAGE = format('name of key field "%s" is too long', parts[1]),
				DETAIL = 'It may have 59 bytes.';
		ELSIF key_column = ANY (columns) THEN
			RAISE duplicate_column USING MESSAGE = format('key field "%s" is given twice', parts[1]);
		END IF;
		columns := columns || key_column;
		result := result || jsonb_build_object('path', string_to_array(parts[1], '.'), 'column', key_column,
			'type', coalesce(parts[2], 'text'));
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vera._key_fields(text[]) IS 'key fields as they are kept';

-- What defines the columns of key fields: a field's value where it is of the column's type, and NULL where it is not.
CREATE FUNCTION vera._key_column(key jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	field text := 'metadata' || (SELECT string_agg(format(' -> %L', p), '') FROM jsonb_array_elements_text(key -> 'path') p);
	parts text[] := CASE key ->> 'type'
		WHEN 'text' THEN ARRAY['text COLLATE "C"', 'string', format('(%s) #>> ''{}''', field)]
		WHEN 'numeric' THEN ARRAY['numeric', 'number', format('(%s)::numeric', field)]
		ELSE ARRAY['boolean', 'boolean', format('(%s)::boolean', field)] END;
BEGIN
	RETURN format('%I %s GENERATED ALWAYS AS (CASE WHEN jsonb_typeof(%s) = %L THEN %s END) STORED', key ->> 'column', parts[1], field, parts[2], parts[3]);
END
$$;
COMMENT ON FUNCTION vera._key_column(jsonb) IS 'the definition of a key field''s column';

CREATE FUNCTION vera._create_index(relation regclass, metric text, keys jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	EXECUTE format('CREATE INDEX ON %s USING veraflat (embedding%s%s)', relation,
		CASE metric WHEN 'l1' THEN ' @extschema@.veravec_l1_ops' ELSE '' END,
		(SELECT string_agg(format(', %I', k ->> 'column'), '' ORDER BY n) FROM jsonb_array_elements(keys) WITH ORDINALITY u (k, n)));
END
$$;
COMMENT ON FUNCTION vera._create_index(regclass, text, jsonb) IS 'makes the vectors'' index of a collection';

CREATE FUNCTION vera.create_collection(name text, dimension integer, metric text DEFAULT 'cosine', key_fields text[] DEFAULT NULL,
	if_not_exists boolean DEFAULT false, schema name DEFAULT current_schema()) RETURNS regclass
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	canonical text := vera._metric(metric);
	keys jsonb := vera._key_fields(key_fields);
	columns text := (SELECT string_agg(', ' || vera._key_column(k), '' ORDER BY n) FROM jsonb_array_elements(keys) WITH ORDINALITY u (k, n));
	relation regclass;
	present vera.collections;
BEGIN
	PERFORM vera._check_encoding();
	IF dimension IS NULL OR dimension NOT BETWEEN 1 AND 16000 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('dimension of a collection must be between 1 and 16000, not %s',
			coalesce(dimension::text, 'NULL'));
	END IF;
	IF if_not_exists THEN
		-- One statement, so that it is there or not even if somebody else deletes it now.
		SELECT f.* INTO present FROM vera.collections c, LATERAL vera._collection(c.name) f WHERE c.name = create_collection.name;
	END IF;
	IF present.name IS NOT NULL THEN
		IF (present.dimension, present.metric) <> (create_collection.dimension, canonical) THEN
			RAISE duplicate_object USING MESSAGE = format('collection "%s" already exists, and is another', name),
				DETAIL = format('It has %s dimensions and metric %s, not %s and %s.',
					present.dimension, present.metric, create_collection.dimension, canonical);
		ELSIF (SELECT n.nspname <> schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = present.relation) THEN
			-- It may be somebody else's, who would be given what is meant for one's own.
			RAISE duplicate_object USING MESSAGE = format('collection "%s" already exists, and is another', name),
				DETAIL = format('It is the table %s, in another schema than "%s".', present.relation, schema);
		ELSIF key_fields IS NOT NULL AND present.key_fields <> keys THEN
			RAISE duplicate_object USING MESSAGE = format('collection "%s" already exists, and is another', name),
				DETAIL = format('Its key fields are %s.', present.key_fields),
				HINT = 'Leave key_fields out to take it as it is.';
		END IF;
		RAISE NOTICE 'collection "%" already exists, skipping', name;
		RETURN present.relation;
	END IF;
	IF schema IS NULL THEN
		RAISE invalid_schema_name USING MESSAGE = 'no schema has been selected to create in';
	END IF;
	BEGIN
		PERFORM vera._check_name(name, schema, NULL);
		EXECUTE format('CREATE TABLE %I.%I (id text COLLATE "C" PRIMARY KEY CHECK (id <> ''''), content text, embedding %s,'
			' metadata jsonb NOT NULL DEFAULT ''{}'' CHECK (jsonb_typeof(metadata) = ''object''),'
			' created_at timestamptz NOT NULL DEFAULT now()%s)',
			schema, name, '@extschema@' || format('.veravec(%s)', dimension), columns);
		relation := format('%I.%I', schema, name)::regclass;
		PERFORM vera._create_index(relation, canonical, keys);
		EXECUTE format('CREATE INDEX ON %s USING gin (metadata jsonb_path_ops)', relation);
		INSERT INTO vera.collections VALUES (name, relation, dimension, canonical, keys);
	EXCEPTION
		-- It is there, perhaps since a moment ago: somebody who makes it at the same time may be first anywhere, with the
		-- collection, the table, its type, or an entry of the catalogs.
		WHEN unique_violation OR duplicate_table OR duplicate_object THEN
			IF NOT EXISTS (SELECT FROM vera.collections c WHERE c.name = create_collection.name) THEN
				RAISE;
			ELSIF if_not_exists THEN
				RETURN vera.create_collection(name, dimension, metric, key_fields, true, schema);
			END IF;
			RAISE duplicate_object USING MESSAGE = format('collection "%s" already exists', name);
	END;
	RETURN relation;
END
$$;
COMMENT ON FUNCTION vera.create_collection(text, integer, text, text[], boolean, name) IS
	'makes a table for documents with its indexes';

CREATE FUNCTION vera.adopt_table(relation regclass, name text DEFAULT NULL, metric text DEFAULT 'cosine', key_fields text[] DEFAULT NULL)
	RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	canonical text := vera._metric(metric);
	keys jsonb := vera._key_fields(key_fields);
	present record;
	problem text;
	key jsonb;
BEGIN
	PERFORM vera._check_encoding();
	SELECT c.relname, n.nspname INTO present FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
	IF NOT FOUND THEN
		RAISE undefined_table USING MESSAGE = format('table %s does not exist', coalesce(relation::text, 'NULL'));
	END IF;
	PERFORM vera._check_name(coalesce(name, present.relname), present.nspname, relation), vera._check_plain(relation);
	IF EXISTS (SELECT FROM vera.collections c WHERE c.relation = adopt_table.relation) THEN
		RAISE duplicate_object USING MESSAGE = format('table %s is a collection already', relation);
	END IF;
	SELECT p INTO problem FROM (SELECT n, CASE
			WHEN a.attnum IS NULL THEN format('It has no column "%s" of type %s.', w.attname, format_type(w.type, NULL))
			WHEN a.atttypid <> w.type THEN format('Column "%s" is of type %s, and must be %s.', w.attname, format_type(a.atttypid, NULL), format_type(w.type, NULL))
			WHEN w.attname = 'embedding' AND a.atttypmod < 1 THEN 'Column "embedding" must be declared with its dimensions, as veravec(384).'
			WHEN w.attname = 'id' AND NOT (a.attnotnull AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation
				AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum))
				THEN 'Column "id" must be a primary key.'
		END AS p
	FROM (VALUES (1, 'id', 'text'::regtype), (2, 'content', 'text'), (3, 'embedding', '@extschema@.veravec'),
			(4, 'metadata', 'jsonb'), (5, 'created_at', 'timestamptz')) w (n, attname, type)
		LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attname = w.attname AND NOT a.attisdropped
	) c WHERE p IS NOT NULL ORDER BY n LIMIT 1;
	IF problem IS NOT NULL THEN
		RAISE wrong_object_type USING MESSAGE = format('table %s cannot be a collection', relation), DETAIL = problem,
			HINT = 'ALTER TABLE can add what is missing; columns may be more than a collection''s.';
	END IF;
	FOR key IN SELECT k FROM jsonb_array_elements(keys) WITH ORDINALITY u (k, n) ORDER BY n LOOP
		EXECUTE format('ALTER TABLE %s ADD COLUMN %s', relation, vera._key_column(key));
	END LOOP;
	PERFORM vera._create_index(relation, canonical, keys);
	EXECUTE format('CREATE INDEX ON %s USING gin (metadata jsonb_path_ops)', relation);
	INSERT INTO vera.collections SELECT coalesce(adopt_table.name, present.relname), relation, a.atttypmod, canonical, keys
		FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = 'embedding';
	RETURN coalesce(name, present.relname);
END
$$;
COMMENT ON FUNCTION vera.adopt_table(regclass, text, text, text[]) IS
	'makes a collection of a table that has the columns of one, and adds indexes to it; the name of the collection';

CREATE FUNCTION vera.delete_collection(name text, if_exists boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row vera.collections;
BEGIN
	-- The lock makes those who delete or rename it at the same time wait here, before they look for its table.
	SELECT * INTO found_row FROM vera.collections c WHERE c.name = delete_collection.name FOR UPDATE;
	IF NOT FOUND THEN
		IF if_exists AND name <> '' THEN
			RAISE NOTICE 'collection "%" does not exist, skipping', name;
			RETURN false;
		END IF;
		PERFORM vera._collection(name); -- says it
	END IF;
	IF vera._exists(found_row.relation) THEN
		EXECUTE format('DROP TABLE %s', found_row.relation);
		IF vera._exists(found_row.relation) THEN -- then it was another
			RAISE serialization_failure USING MESSAGE = format('the table of collection "%s" was renamed at the same time', name),
				HINT = 'The statement can be tried again.';
		END IF;
	END IF;
	DELETE FROM vera.collections c WHERE c.name = delete_collection.name;
	RETURN true;
END
$$;
COMMENT ON FUNCTION vera.delete_collection(text, boolean) IS 'drops a collection with all its documents; whether there was one';

CREATE FUNCTION vera.rename_collection(name text, new_name text) RETURNS regclass
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	collection vera.collections;
	present record;
BEGIN
	PERFORM FROM vera.collections c WHERE c.name = rename_collection.name FOR UPDATE; -- as delete_collection
	collection := vera._collection(name);
	SELECT c.relname, n.nspname INTO present FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = collection.relation;
	PERFORM vera._check_name(new_name, present.nspname, collection.relation);
	BEGIN
		IF present.relname <> new_name THEN -- as it is where the table was renamed first
			EXECUTE format('ALTER TABLE %s RENAME TO %I', collection.relation, new_name);
			PERFORM vera._check_table(collection, format('%I.%I', present.nspname, new_name));
		END IF;
		UPDATE vera.collections c SET name = new_name WHERE c.name = rename_collection.name;
	EXCEPTION
		WHEN unique_violation OR duplicate_table THEN -- as in create_collection
			IF NOT EXISTS (SELECT FROM vera.collections c WHERE c.name = new_name) THEN
				RAISE;
			END IF;
			RAISE duplicate_object USING MESSAGE = format('collection "%s" already exists', new_name);
	END;
	RETURN collection.relation;
END
$$;
COMMENT ON FUNCTION vera.rename_collection(text, text) IS 'renames a collection and its table';

-- Who lists collections has not chosen them, and anybody may make one. So rows are counted without a query, which would run
-- what belongs to the table: policies, constant expressions of indexes.
CREATE FUNCTION vera._documents(relation regclass) RETURNS bigint
	AS 'MODULE_PATHNAME', 'store_documents_wrapper' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION vera._documents(regclass) IS
	'rows of a table; NULL if the current user may not see them all, if it is locked, or if there is no such table';

CREATE FUNCTION vera.list_collections() RETURNS TABLE (name text, dimension integer, metric text, documents bigint, bytes bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT c.name, c.dimension, c.metric,
		CASE WHEN has_schema_privilege((SELECT r.relnamespace FROM pg_class r WHERE r.oid = c.relation), 'USAGE') THEN vera._documents(c.relation) END,
		pg_total_relation_size(c.relation)
	FROM vera.collections c ORDER BY c.name COLLATE "C";
END;
COMMENT ON FUNCTION vera.list_collections() IS 'all collections, with the number of documents, where the current user sees them all, and the bytes on disk';

CREATE FUNCTION vera.collection_info(name text, OUT relation regclass, OUT dimension integer, OUT metric text,
	OUT key_fields jsonb, OUT documents bigint, OUT bytes bigint, OUT index_bytes bigint) RETURNS record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	collection vera.collections := vera._collection(name);
BEGIN
	relation := collection.relation;
	dimension := collection.dimension;
	metric := collection.metric;
	key_fields := collection.key_fields;
	IF has_table_privilege(relation, 'SELECT')
		AND has_schema_privilege((SELECT c.relnamespace FROM pg_class c WHERE c.oid = collection_info.relation), 'USAGE') THEN
		EXECUTE format('SELECT count(*) FROM %s', relation) INTO documents;
	END IF;
	bytes := pg_total_relation_size(relation);
	index_bytes := pg_indexes_size(relation);
END
$$;
COMMENT ON FUNCTION vera.collection_info(text) IS 'one collection, in full';
