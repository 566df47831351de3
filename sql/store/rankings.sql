-- The document store: searches that choose or order documents by more than their distance.

-- The groups in the order of their nearest documents: those of a first few documents, then of those that are in none of
-- the groups found, until there are enough or no more. Then each group's best documents. So nothing is guessed, and no more
-- is read than a few searches read.
CREATE FUNCTION vera.search_groups(collection text, query @extschema@.veravec, field text, groups integer DEFAULT 10,
	per_group integer DEFAULT 1, filter jsonb DEFAULT NULL, where_document jsonb DEFAULT NULL,
	max_distance double precision DEFAULT NULL, min_score double precision DEFAULT NULL)
	RETURNS TABLE (group_value jsonb, id text, content text, metadata jsonb, created_at timestamptz, distance double precision, score double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names text[] := vera._path(textout(field));
	found_groups jsonb := '[]';
	new_groups jsonb;
	one jsonb;
BEGIN
	PERFORM vera._check_not_empty(field, 'field'), vera._check_at_least(groups, 1, 'groups'), vera._check_at_least(per_group, 1, 'per_group');
	PERFORM vera._condition(jsonb_out(filter), jsonb_out(where_document), '[]'); -- what is wrong in them is said of them
	WHILE jsonb_array_length(found_groups) < groups LOOP
		SELECT jsonb_agg(v ORDER BY n) INTO new_groups FROM (
			SELECT s.metadata #> names AS v, min(s.n) AS n
			FROM vera.search(collection, query, least(4 * groups::bigint, 10000)::integer, jsonb_build_object('$and', jsonb_build_array(
				coalesce(filter, '{}'), jsonb_build_object(field, jsonb_build_object('$exists', true, '$nin', found_groups)))),
				where_document, max_distance, min_score) WITH ORDINALITY s (id, content, metadata, created_at, distance, score, n)
			GROUP BY 1
		) t;
		EXIT WHEN new_groups IS NULL;
		found_groups := found_groups || new_groups;
	END LOOP;
	FOR one IN SELECT g.v FROM jsonb_array_elements(found_groups) WITH ORDINALITY g (v, n) ORDER BY g.n LIMIT groups LOOP
		RETURN QUERY SELECT one, s.* FROM vera.search(collection, query, per_group, jsonb_build_object('$and', jsonb_build_array(
			coalesce(filter, '{}'), jsonb_build_object(field, jsonb_build_object('$eq', one)))),
			where_document, max_distance, min_score) s;
	END LOOP;
END
$$;
COMMENT ON FUNCTION vera.search_groups(text, @extschema@.veravec, text, integer, integer, jsonb, jsonb, double precision, double precision) IS
	'the nearest documents of each of the nearest groups, which are the values of a metadata field';

-- How many documents are looked at to choose k of them: as many as asked for, or so many times k.
CREATE FUNCTION vera._candidates(candidates integer, k integer, times integer, minimum integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	PERFORM vera._check_at_least(k, 1, 'k'), vera._check_at_least(coalesce(candidates, k), k, 'candidates');
	RETURN coalesce(candidates, least(greatest(times::bigint * k, minimum), 2147483647));
END
$$;
COMMENT ON FUNCTION vera._candidates(integer, integer, integer, integer) IS 'the number of candidates of a search that chooses among them';

-- J. Carbonell, J. Goldstein: The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries,
-- SIGIR 1998: of those not chosen yet, the next is the one with the greatest
--     lambda * similarity to the query - (1 - lambda) * greatest similarity to one that is chosen.
CREATE FUNCTION vera.search_mmr(collection text, query @extschema@.veravec, k integer DEFAULT 10, lambda double precision DEFAULT 0.5,
	candidates integer DEFAULT NULL, filter jsonb DEFAULT NULL, where_document jsonb DEFAULT NULL,
	max_distance double precision DEFAULT NULL, min_score double precision DEFAULT NULL)
	RETURNS TABLE (id text, content text, metadata jsonb, created_at timestamptz, distance double precision, score double precision, mmr double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row vera.collections := vera._collection(collection);
	number integer := vera._candidates(candidates, k, 5, 20);
	of_two text := vera._score(found_row.metric, format('(e %s $1)', vera._operator(found_row.metric)));
	hits record; -- arrays, by distance
	likeness double precision[]; -- of each to what is chosen; NULL at first
	chosen integer[] := '{}';
	next record;
BEGIN
	IF lambda IS NULL OR NOT lambda BETWEEN 0 AND 1 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('lambda must be between 0 and 1, not %s', coalesce(lambda::text, 'NULL')),
			HINT = '1 is nearness alone, 0 is diversity alone.';
	END IF;
	EXECUTE format('SELECT array_agg(s.id ORDER BY s.n) AS ids, array_agg(s.score ORDER BY s.n) AS scores, array_agg(d.embedding ORDER BY s.n) AS embeddings,'
		' array_agg(s.distance ORDER BY s.n) AS distances, array_agg(s.content ORDER BY s.n) AS contents, array_agg(s.metadata ORDER BY s.n) AS metadatas,'
		' array_agg(s.created_at ORDER BY s.n) AS times'
		' FROM vera.search($1, $2, $3, $4, $5, $6, $7) WITH ORDINALITY s (id, content, metadata, created_at, distance, score, n) JOIN %s d USING (id)'
		' WHERE s.distance <> ''NaN''', found_row.relation)
	USING collection, query, number, filter, where_document, max_distance, min_score INTO hits;
	WHILE cardinality(chosen) < least(k, coalesce(cardinality(hits.ids), 0)) LOOP
		SELECT i, lambda * r - (1 - lambda) * coalesce(likeness[i], 0) AS mmr INTO next
		FROM unnest(hits.scores) WITH ORDINALITY u (r, i) WHERE i <> ALL (chosen) ORDER BY 2 DESC, i LIMIT 1;
		chosen := chosen || next.i::integer;
		EXECUTE format('SELECT array_agg(greatest(($3)[i], %s) ORDER BY i) FROM unnest($2) WITH ORDINALITY u (e, i)', of_two)
		USING hits.embeddings[next.i], hits.embeddings, likeness INTO likeness;
		RETURN QUERY SELECT hits.ids[next.i], hits.contents[next.i], hits.metadatas[next.i], hits.times[next.i],
			hits.distances[next.i], hits.scores[next.i], next.mmr;
	END LOOP;
END
$$;
COMMENT ON FUNCTION vera.search_mmr(text, @extschema@.veravec, integer, double precision, integer, jsonb, jsonb, double precision, double precision) IS
	'near documents that differ from each other: maximal marginal relevance; lambda 1 is nearness alone, 0 diversity alone';

-- Strategies as Qdrant's: the average, avg(positive) + avg(positive) - avg(negative); and the best score, squash(p) if the
-- greatest score p to a positive example is above n, the greatest to a negative one, and -squash(n) if not, where squash(x) is
-- (1 + x / (1 + |x|)) / 2, between 0 and 1. So what is nearer to a positive example comes first, and then what is least like
-- the negative ones.
CREATE FUNCTION vera.recommend(collection text, positive_ids text[] DEFAULT NULL, negative_ids text[] DEFAULT NULL,
	k integer DEFAULT 10, strategy text DEFAULT 'average', filter jsonb DEFAULT NULL, where_document jsonb DEFAULT NULL,
	positive @extschema@.veravec[] DEFAULT NULL, negative @extschema@.veravec[] DEFAULT NULL)
	RETURNS TABLE (id text, content text, metadata jsonb, created_at timestamptz, distance double precision, score double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row vera.collections := vera._collection(collection);
	condition text[] := vera._where(found_row, filter, where_document, true);
	examples text[] := ARRAY(SELECT unnest(positive_ids) UNION ALL SELECT unnest(negative_ids));
	likes @extschema@.veravec[];
	dislikes @extschema@.veravec[];
	missing text;
	average @extschema@.veravec;
	likeness text := format('max(nullif(%s, ''NaN''))', vera._score(found_row.metric, format('(d.embedding %s x.e)', vera._operator(found_row.metric))));
BEGIN
	IF strategy IS NULL OR strategy NOT IN ('average', 'best_score') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('unknown strategy %s', coalesce('"' || strategy || '"', 'NULL')),
			HINT = 'There are average and best_score.';
	END IF;
	IF array_position(examples, NULL) IS NOT NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'id of an example must not be NULL';
	END IF;
	EXECUTE format('SELECT min(x.i) FROM unnest($1) x (i) WHERE NOT EXISTS (SELECT FROM %s d WHERE d.id = x.i AND d.embedding IS NOT NULL)', found_row.relation)
	USING examples INTO missing;
	IF missing IS NOT NULL THEN
		RAISE no_data_found USING MESSAGE = format('there is no document "%s" with an embedding', missing);
	END IF;
	EXECUTE format('SELECT ARRAY(SELECT embedding FROM %1$s WHERE id = ANY ($1) UNION ALL SELECT unnest($3)),'
		' ARRAY(SELECT embedding FROM %1$s WHERE id = ANY ($2) UNION ALL SELECT unnest($4))', found_row.relation) USING positive_ids, negative_ids, positive, negative INTO likes, dislikes;
	IF likes = '{}' AND (strategy = 'average' OR dislikes = '{}') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'there is no positive example',
			HINT = 'Give positive_ids or positive, an array of vectors.';
	END IF;
	PERFORM vera._check_search(found_row, @extschema@.vector_dims(e), k, 0) FROM unnest(likes || dislikes) e;
	-- The examples are not answers.
	condition[1] := format('id <> ALL ($5) AND (%s)', condition[1]);
	IF strategy = 'average' THEN
		SELECT CASE WHEN n.v IS NULL THEN p.v ELSE p.v OPERATOR(@extschema@.+) p.v OPERATOR(@extschema@.-) n.v END INTO average
		FROM (SELECT @extschema@.avg(e) AS v FROM unnest(likes) e) p, (SELECT @extschema@.avg(e) AS v FROM unnest(dislikes) e) n;
		RETURN QUERY EXECUTE vera._search_sql(found_row, condition[1], k)
		USING average, condition[2:], NULL, NULL, examples;
	ELSE
		RETURN QUERY EXECUTE format('SELECT id, content, metadata, created_at, NULL::double precision, s FROM ('
			'SELECT d.id, d.content, d.metadata, d.created_at,'
			' CASE WHEN b.n IS NULL OR b.p > b.n THEN 1 + b.p / (1 + abs(b.p)) ELSE -1 - b.n / (1 + abs(b.n)) END / 2 AS s FROM %1$s d,'
			' LATERAL (SELECT (SELECT %2$s FROM unnest($1) x (e)) AS p, (SELECT %2$s FROM unnest($4) x (e)) AS n) b'
			' WHERE d.embedding IS NOT NULL AND %3$s) t ORDER BY s DESC NULLS LAST LIMIT $3', found_row.relation, likeness, condition[1])
		USING likes, condition[2:], k, dislikes, examples;
	END IF;
END
$$;
COMMENT ON FUNCTION vera.recommend(text, text[], text[], integer, text, jsonb, jsonb, @extschema@.veravec[], @extschema@.veravec[]) IS
	'documents that are near to the positive examples and not to the negative ones';

-- G. Cormack, C. Clarke, S. Buettcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods, SIGIR
-- 2009: the sum over the lists of 1 / (rrf_k + rank).
CREATE FUNCTION vera.hybrid_search(collection text, query @extschema@.veravec, text_query text, k integer DEFAULT 10,
	strategy text DEFAULT 'rrf', rrf_k integer DEFAULT 60, vector_weight double precision DEFAULT 0.5, candidates integer DEFAULT NULL,
	filter jsonb DEFAULT NULL, where_document jsonb DEFAULT NULL, language regconfig DEFAULT get_current_ts_config())
	RETURNS TABLE (id text, content text, metadata jsonb, created_at timestamptz, distance double precision, text_rank double precision, score double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row vera.collections := vera._collection(collection);
	condition text[] := vera._where(found_row, filter, where_document, true);
	number integer := vera._candidates(candidates, k, 10, 100);
	document text := format('to_tsvector(%L::regconfig, content)', language);
BEGIN
	PERFORM vera._check_search(found_row, @extschema@.vector_dims(query), k, 0), vera._check_at_least(rrf_k, 1, 'rrf_k');
	IF strategy IS NULL OR strategy NOT IN ('rrf', 'weighted') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('unknown strategy %s', coalesce('"' || strategy || '"', 'NULL')),
			HINT = 'There are rrf and weighted.';
	ELSIF vector_weight IS NULL OR NOT vector_weight BETWEEN 0 AND 1 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('vector_weight must be between 0 and 1, not %s', coalesce(vector_weight::text, 'NULL'));
	ELSIF text_query IS NULL OR language IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = format('%s must not be NULL', CASE WHEN text_query IS NULL THEN 'text_query' ELSE 'language' END);
	END IF;
	RETURN QUERY EXECUTE format($query$
		WITH near AS (
			SELECT s.id, s.distance, s.score, row_number() OVER () AS rank FROM (%1$s) s WHERE s.distance <> 'NaN'
		), matching AS (
			SELECT t.*, row_number() OVER (ORDER BY t.text_rank DESC, t.id) AS rank FROM (
				SELECT id, ts_rank_cd(%3$s, websearch_to_tsquery(%4$L::regconfig, $3))::double precision AS text_rank
				FROM %2$s WHERE %3$s @@ websearch_to_tsquery(%4$L::regconfig, $3) AND %5$s
				ORDER BY 2 DESC, id LIMIT $8) t
		), fused AS (
			SELECT id, n.distance, m.text_rank, CASE WHEN $4 = 'rrf'
				THEN coalesce(1.0 / ($5 + n.rank), 0) + coalesce(1.0 / ($5 + m.rank), 0)
				ELSE $6 * coalesce((n.score - n.least) / nullif(n.most - n.least, 0), (n.id IS NOT NULL)::int)
					+ (1 - $6) * coalesce((m.text_rank - m.least) / nullif(m.most - m.least, 0), (m.id IS NOT NULL)::int)
				END::double precision AS score
			FROM (SELECT *, min(score) OVER () AS least, max(score) OVER () AS most FROM near) n
			FULL JOIN (SELECT *, min(text_rank) OVER () AS least, max(text_rank) OVER () AS most FROM matching) m USING (id)
		)
		SELECT id, d.content, d.metadata, d.created_at, f.distance, f.text_rank, f.score
		FROM (SELECT * FROM fused ORDER BY score DESC, id LIMIT $7) f JOIN %2$s d USING (id)
		ORDER BY f.score DESC, id
	$query$, vera._search_sql(found_row, condition[1], number), found_row.relation, document, language, condition[1])
	USING query, condition[2:], text_query, strategy, rrf_k, vector_weight, k, number;
END
$$;
COMMENT ON FUNCTION vera.hybrid_search(text, @extschema@.veravec, text, integer, text, integer, double precision, integer, jsonb, jsonb, regconfig) IS
	'vector search and full-text search fused, by ranks (rrf) or by scores made comparable (weighted)';
