-- What the extension puts into the catalogs.

-- every object has a comment
SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'vera_vec') AND deptype = 'e'
	AND obj_description(objid, classid::regclass::name) IS NULL
	AND pg_describe_object(classid, objid, 0) !~ '^type (vera(half)?vec\[\]|vera.collections(\[\])?)$'
ORDER BY 1;

-- all functions are strict, immutable and parallel safe, but for those that ask about the CPU and about indexes
SELECT oid::regprocedure, provolatile, proparallel, proisstrict FROM pg_proc
WHERE oid IN (SELECT objid FROM pg_depend WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'vera_vec'))
	AND prokind = 'f' AND (provolatile, proparallel, proisstrict) <> ('i', 's', true)
ORDER BY oid::regprocedure::text COLLATE "C";

-- commutators and negators come in pairs
SELECT o.oid::regoperator FROM pg_operator o LEFT JOIN pg_operator c ON c.oid = o.oprcom LEFT JOIN pg_operator n ON n.oid = o.oprnegate
WHERE (o.oprleft IN ('veravec'::regtype, 'verahalfvec'::regtype) OR o.oprright IN ('veravec'::regtype, 'verahalfvec'::regtype))
	AND (c.oprcom <> o.oid OR n.oprnegate <> o.oid OR o.oprcode = 0);

-- the whole of it
SELECT object FROM (
	SELECT pg_describe_object(classid, objid, 0) AS object FROM pg_depend
	WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'vera_vec') AND deptype = 'e'
) t
WHERE object NOT IN ('type veravec[]', 'type verahalfvec[]', 'type vera.collections', 'type vera.collections[]') -- counted from PostgreSQL 17 on
ORDER BY object COLLATE "C";

-- it can live in any schema, and goes when it is told to
CREATE SCHEMA elsewhere;
DROP EXTENSION vera_vec;
CREATE EXTENSION vera_vec SCHEMA elsewhere;
SELECT elsewhere.l2_distance('[1]', '[2]'), '[1]'::elsewhere.veravec OPERATOR(elsewhere.<->) '[2]';
SELECT '[1.5]'::elsewhere.veravec::numeric[], '[1]'::elsewhere.veravec::integer[];
SELECT DISTINCT v FROM unnest(ARRAY['[1]', '[1]']::elsewhere.veravec[]) v;
SELECT vera.create_collection('there', 2, 'l1', ARRAY['lang']);
SELECT vera.add_documents('there', '[{"id": "a", "content": "x y", "embedding": [1, 2], "metadata": {"lang": "en"}}, {"id": "b", "embedding": [1, 3]}]');
SELECT id, score FROM vera.search('there', '[1,3]', filter => '{"lang": "en"}', max_distance => 5, min_score => 0.1);
SELECT id FROM vera.search_mmr('there', '[1,3]', 1);
SELECT id FROM vera.recommend('there', ARRAY['a'], k => 1);
SELECT id FROM vera.recommend('there', ARRAY['b'], negative => ARRAY['[1,1]']::elsewhere.veravec[], strategy => 'best_score');
SELECT id FROM vera.hybrid_search('there', '[1,3]', 'y', 1, language => 'simple');
SELECT vera.delete_collection('there');
DROP EXTENSION vera_vec;
DROP SCHEMA elsewhere;
CREATE EXTENSION vera_vec;
