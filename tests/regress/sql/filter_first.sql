-- Filter first: the rows that other indexes find, ranked. Answers are those of a plain scan, whatever the conditions.
SET client_min_messages = warning;
\set VERBOSITY terse

CREATE TABLE papers (id int PRIMARY KEY, tenant int, lang text, tags text[], about jsonb, body text, embedding veravec(8), padding text);
INSERT INTO papers SELECT i, i % 50, CASE i % 3 WHEN 0 THEN 'en' WHEN 1 THEN 'fr' END, ARRAY['t' || i % 7, 't' || i % 11],
        jsonb_build_object('year', 1990 + i % 30, 'kind', 'k' || i % 20), 'word' || i % 40 || ' and word' || i % 41,
        CASE WHEN i % 97 > 0 THEN ARRAY[i % 17 - 8, i % 23 - 11, i % 5 - 2, i % 29, i % 31, i % 37, i % 41, i % 43]::real[]::veravec(8) END,
        repeat('x', 1200)
    FROM generate_series(1, 20000) i;
CREATE INDEX papers_embedding ON papers USING veraflat (embedding);
CREATE INDEX papers_tenant ON papers (tenant);
CREATE INDEX papers_lang ON papers (lang) WHERE tenant < 25;
CREATE INDEX papers_tags ON papers USING gin (tags);
CREATE INDEX papers_about ON papers USING gin (about jsonb_path_ops);
CREATE INDEX papers_body ON papers USING gin (to_tsvector('simple', body));
CREATE INDEX papers_id_brin ON papers USING brin (id) WITH (pages_per_range = 4);
DELETE FROM papers WHERE id % 13 = 0;
UPDATE papers SET embedding = '[1,2,3,4,5,6,7,8]' WHERE id % 101 = 0;
UPDATE papers SET lang = 'de' WHERE id % 211 = 0;
VACUUM ANALYZE papers;
INSERT INTO papers SELECT i, i % 50, 'en', ARRAY['t1'], '{"year": 2000}', 'word1', '[0,0,0,0,0,0,0,0]' FROM generate_series(20001, 20100) i;
DELETE FROM papers WHERE id % 103 = 0;

-- How it looks.
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT id FROM papers WHERE tenant = 7 ORDER BY embedding <=> '[1,2,3,4,5,6,7,8]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM papers p WHERE tenant IN (7, 8) AND about @> '{"year": 1997}' AND lang <> 'fr'
    ORDER BY p.embedding <-> '[1,2,3,4,5,6,7,8]', p.embedding <#> '[1,1,1,1,1,1,1,1]' LIMIT 5;
CREATE FUNCTION lines_of(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE statement; END $$;
SELECT regexp_replace(line, 'actual rows=\d+(\.\d+)? loops=\d+', 'actual …') AS line
    FROM (VALUES ('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) '
        'SELECT id FROM papers WHERE tenant = 7 AND id % 2 = 1 ORDER BY embedding <=> ''[1,2,3,4,5,6,7,8]'' LIMIT 5')) AS s(statement),
    LATERAL lines_of(statement) AS line WHERE line !~ 'Index Searches';

-- Answers, with it and without, by distance, since ties make ids differ.
CREATE FUNCTION differences(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answers float8[][];
    first float8[];
    used boolean;
    answer float8[];
    settings text[] := ARRAY['vera_vec.enable_filter_first', 'enable_indexscan', 'enable_bitmapscan'];
BEGIN
    used := plan_has(query, 'VeraFilterFirst');
    EXECUTE 'SELECT array_agg(d) FROM (' || query || ') AS found(d)' INTO first;
    FOR i IN 1 .. 3 LOOP
        PERFORM set_config(settings[i], 'off', true);
        PERFORM set_config('enable_sort', 'on', true);
        EXECUTE 'SELECT array_agg(d) FROM (' || query || ') AS found(d)' INTO answer;
        IF answer IS DISTINCT FROM first THEN
            RETURN format('%s without %s, %s with', answer, settings[i], first);
        END IF;
    END LOOP;
    PERFORM set_config(s, 'on', true) FROM unnest(settings) AS s;
    PERFORM set_config('enable_sort', 'off', true);
    RETURN CASE WHEN used THEN '' ELSE 'not used; ' END || coalesce(cardinality(first), 0) || ' rows';
END $$;
SELECT condition, operator, quantity, differences(format('SELECT embedding %s %L FROM papers WHERE %s ORDER BY embedding %1$s %2$L %4$s',
        operator, vector, condition, quantity))
    FROM unnest(ARRAY['tenant = 7', 'tenant BETWEEN 3 AND 9', 'tags @> ''{t1,t5}''', 'about @> ''{"kind": "k3"}''', 'id < 40', 'tenant = 7 AND lang IS NULL',
        'tenant = 3 OR about @> ''{"year": 2001}''', 'lang = ''de'' AND tenant < 25', 'to_tsvector(''simple'', body) @@ ''word3 & word4''', 'tenant = 999',
        'tenant = 7 AND embedding IS NULL']) AS condition,
    unnest(ARRAY['<->', '<=>', '<#>']) WITH ORDINALITY AS o(operator, number),
    LATERAL (VALUES (CASE number WHEN 1 THEN '[1,2,3,4,5,6,7,8]' WHEN 2 THEN '[-1,0,0,9,0,-3,1,1]' ELSE '[0,0,0,0,0,0,0,0]' END)) AS v(vector),
    unnest(ARRAY['LIMIT 7', 'OFFSET 3']) AS quantity
    ORDER BY condition, number, quantity;
SELECT differences('SELECT embedding <-> ''[1,2,3,4,5,6,7,8]'' FROM papers WHERE (tags @> ''{t3}'' OR to_tsvector(''simple'', body) @@ ''word3'')
    AND id > (SELECT 5) AND id NOT IN (SELECT id FROM papers WHERE tenant = 7) ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 5');
SELECT count(*) FROM lines_of('EXPLAIN (COSTS OFF) SELECT id FROM papers WHERE tenant = 7 AND id NOT IN (SELECT id FROM papers WHERE id < 9)
    ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 5') AS line WHERE line ~ '^ *SubPlan';
SELECT differences('SELECT embedding <-> NULL FROM papers WHERE tenant = 7 ORDER BY embedding <-> NULL LIMIT 3');
SELECT error_of('SELECT id FROM papers WHERE tenant = 7 ORDER BY embedding <-> ''[1,2]'' LIMIT 3');

-- Within a radius: the scan stops there, whether other indexes serve the rest or not.
EXPLAIN (COSTS OFF) SELECT id FROM papers WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 9.5 ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]' LIMIT 50;
EXPLAIN (COSTS OFF) SELECT id FROM papers WHERE 9.5 >= embedding <-> '[1,2,3,4,5,6,7,8]' AND tenant = 7 ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]' LIMIT 50;
SELECT line FROM lines_of('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF)
    SELECT id FROM papers WHERE embedding <-> ''[1,2,3,4,5,6,7,8]'' < 9.5 ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 5000') AS line WHERE line ~ 'Rows';
SELECT condition, operator, differences(format('SELECT embedding %s %L FROM papers WHERE %s ORDER BY embedding %1$s %2$L LIMIT 50',
        operator, vector, format(condition, format('(embedding %s %L)', operator, vector))))
    FROM unnest(ARRAY['%s < 12', '%s <= 0', '%s < 0', '%s < -20', '%s < 0.1 AND tenant = 7', '%s <= 1 AND tenant BETWEEN 3 AND 9', '0.2 > %s', '9 >= %s AND %1$s >= 0.05',
        '%s < ''NaN''', '%s <= ''NaN''', '%s < ''inf''', '%s < NULL::float8', '%s < (SELECT 12::float8)', 'NOT %s >= 3', '%s < 5 OR tenant = 7']) AS condition,
    unnest(ARRAY['<->', '<=>', '<#>']) WITH ORDINALITY AS o(operator, number),
    LATERAL (VALUES (CASE number WHEN 1 THEN '[1,2,3,4,5,6,7,8]' WHEN 2 THEN '[-1,0,0,9,0,-3,1,1]' ELSE '[0,0,0,1,0,0,0,0]' END)) AS v(vector)
    ORDER BY condition, number;
-- Without an order too, where the planner can see that few rows are within.
EXPLAIN (COSTS OFF) SELECT count(*) FROM papers WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 9.5;
EXPLAIN (COSTS OFF) SELECT count(id) FROM papers WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 90;
EXPLAIN (COSTS OFF) SELECT count(*) FROM papers TABLESAMPLE bernoulli (50) WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 9.5;
CREATE FUNCTION both_ways(condition text, of_table text DEFAULT 'papers') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    query text := 'SELECT count(*) || '' rows, '' || coalesce(sum(id), 0) FROM ' || of_table || ' WHERE ' || condition;
    used boolean := plan_has(query, 'VeraFilterFirst');
    with_it text;
    without text;
BEGIN
    EXECUTE query INTO with_it;
    SET LOCAL vera_vec.enable_filter_first = off;
    EXECUTE query INTO without;
    SET LOCAL vera_vec.enable_filter_first = on;
    RETURN CASE WHEN with_it <> without THEN with_it || ' with, without ' || without ELSE CASE WHEN used THEN '' ELSE 'not used; ' END || with_it END;
END $$;
SELECT condition, both_ways(condition) FROM unnest(ARRAY['embedding <-> ''[1,2,3,4,5,6,7,8]'' < 9.5', '9.5 > embedding <-> ''[1,2,3,4,5,6,7,8]'' AND tenant = 7',
    'embedding <=> ''[-1,0,0,9,0,-3,1,1]'' <= 0.01', 'embedding <-> ''[1,2,3,4,5,6,7,8]'' BETWEEN 5 AND 9', 'embedding <-> ''[1,2,3,4,5,6,7,8]'' <= 0',
    'embedding <-> ''[1,2,3,4,5,6,7,8]'' < -1', '(embedding <-> ''[1,2,3,4,5,6,7,8]'') < 9 AND (embedding <=> ''[1,2,3,4,5,6,7,8]'') < 0.1',
    'embedding <-> (SELECT ''[1,2,3,4,5,6,7,8]''::veravec) < 9.5', 'embedding <-> ''[1,2,3,4,5,6,7,8]'' < 9.5 AND false']) AS condition;
-- Conditions on key columns are tested by the index beside those of a bitmap or a limit; a ring's inner rows are not fetched, and a
-- count looks at no row that bounds decide where all are visible.
CREATE TABLE visible (id int, tenant int, kind text, tags text[], embedding veravec(8));
INSERT INTO visible SELECT id, NULLIF(tenant, 3), about->>'kind', tags, embedding FROM papers;
CREATE INDEX visible_embedding ON visible USING veraflat (tenant, embedding, (lower(kind)));
CREATE INDEX visible_tags ON visible USING gin (tags);
VACUUM (ANALYZE, FREEZE, DISABLE_PAGE_SKIPPING) visible;
EXPLAIN (COSTS OFF) SELECT id FROM visible WHERE 7 = tenant AND tags @> '{t1}' ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT count(*) FROM visible WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 30 AND tenant IN (7, 8, 9) AND lower(kind) IS NOT NULL;
EXPLAIN (COSTS OFF) SELECT id FROM visible WHERE tenant = 5 AND lower(kind) IN ('k5', 'k15') ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]' LIMIT 5;
SELECT regexp_replace(line, 'actual rows=(\d+)(\.\d+)? loops=\d+', 'actual \1') AS line
    FROM unnest(ARRAY['count(*)', 'count(id)']) AS what,
    LATERAL lines_of('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT ' || what ||
        ' FROM visible WHERE embedding <-> ''[1,2,3,4,5,6,7,8]'' < 20 AND embedding <-> ''[1,2,3,4,5,6,7,8]'' >= 15') AS line;
SELECT count(*) AS ring FROM visible WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 20 AND embedding <-> '[1,2,3,4,5,6,7,8]' >= 15;
SELECT line FROM lines_of('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF)
    SELECT id FROM visible WHERE embedding <-> ''[1,2,3,4,5,6,7,8]'' < 20 AND embedding <-> ''[1,2,3,4,5,6,7,8]'' >= 15
    ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 5') AS line WHERE line ~ 'Rows';
SELECT EXISTS (SELECT FROM visible WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 9.5) AS there, 3 AS three FROM visible WHERE embedding <-> '[1,2,3,4,5,6,7,8]' <= 0 LIMIT 1;
CREATE FUNCTION count_both_ways(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    with_it bigint;
    without bigint;
BEGIN
    EXECUTE 'SELECT count(*) FROM visible WHERE ' || condition INTO with_it;
    SET LOCAL vera_vec.enable_filter_first = off;
    EXECUTE 'SELECT count(*) FROM visible WHERE ' || condition INTO without;
    SET LOCAL vera_vec.enable_filter_first = on;
    RETURN CASE WHEN with_it = without THEN with_it || ' counted' ELSE format('%s with, %s without', with_it, without) END;
END $$;
CREATE TABLE asked AS SELECT replace(replace(condition, 'L2', 'embedding <-> ''[1,2,3,4,5,6,7,8]'''), 'COS', 'embedding <=> ''[1,2,3,4,5,6,7,8]''') AS condition
    FROM unnest(ARRAY['L2 < 20', 'L2 > 90', 'L2 >= 15 AND 20 > L2', 'COS BETWEEN 0.1 AND 0.2', 'COS >= 0.9', 'COS <= ''NaN''', 'COS > ''inf''', 'COS > NULL::float8',
        'L2 < 25 AND L2 < 20 AND L2 > 15 AND L2 >= 16', 'L2 < 30 AND tenant = 7', 'L2 < 30 AND 7 >= tenant', 'L2 < 30 AND tenant IS NULL', 'L2 < 30 AND tenant = (SELECT 7)',
        'L2 < 30 AND tenant = ANY (ARRAY(SELECT generate_series(5, 9)))', 'L2 < 30 AND tags @> ''{t1}'' AND tenant < 30::bigint',
        'L2 < 30 AND lower(kind) = ''k7'' AND tags @> ''{t1}''', 'embedding <#> ''[1,2,3,4,5,6,7,8]'' < -500']) AS condition;
SELECT condition, both_ways(condition, 'visible'), count_both_ways(condition) FROM asked ORDER BY condition COLLATE "C";
SET enable_indexscan = off;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM visible WHERE 7 = tenant AND tags @> '{t1}' ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]' LIMIT 5;
SELECT condition, differences('SELECT embedding <-> ''[1,2,3,4,5,6,7,8]'' FROM visible WHERE ' || condition || ' ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 20')
    FROM unnest(ARRAY['7 = tenant AND tags @> ''{t1}''']) AS condition;
RESET enable_indexscan;
RESET enable_seqscan;
-- Not all visible any more.
DELETE FROM visible WHERE id % 3 = 0;
INSERT INTO visible SELECT 30000 + i, 7, 'k7', '{t1}', ARRAY[1, 2, 3, 4, 5, 6, 7, 8 + i]::real[]::veravec(8) FROM generate_series(1, 50) i;
SELECT count(*) AS different FROM asked WHERE count_both_ways(condition) ~ 'with' OR both_ways(condition, 'visible') ~ 'with';
VACUUM visible;
INSERT INTO visible SELECT 40000 + i, 7, 'k7', '{t1}', ARRAY[1, 2, 3, 4, 5, 6, 7, 8 + i]::real[]::veravec(8) FROM generate_series(1, 50) i;
SELECT count(*) AS different FROM asked WHERE count_both_ways(condition) ~ 'with' OR both_ways(condition, 'visible') ~ 'with';
DROP TABLE visible, asked;
-- What is within is not looked at for those who may not see all rows: costs would tell them.
CREATE FUNCTION cost_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN EXECUTE 'EXPLAIN ' || query INTO line; RETURN substring(line FROM 'cost=\S+'); END $$;
CREATE ROLE reader;
GRANT SELECT ON papers TO reader;
ALTER TABLE papers ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON papers TO reader USING (tenant = 7);
SET ROLE reader;
SELECT cost_of('SELECT FROM papers WHERE embedding <-> ''[1,2,3,4,5,6,7,8]'' < 9.5 ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]''')
    = cost_of('SELECT FROM papers WHERE embedding <-> ''[90,90,90,90,90,90,90,90]'' < 9.5 ORDER BY embedding <-> ''[90,90,90,90,90,90,90,90]''') AS costs_tell_nothing;
RESET ROLE;
SELECT cost_of('SELECT FROM papers WHERE embedding <-> ''[1,2,3,4,5,6,7,8]'' < 9.5 ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]''')
    = cost_of('SELECT FROM papers WHERE embedding <-> ''[90,90,90,90,90,90,90,90]'' < 9.5 ORDER BY embedding <-> ''[90,90,90,90,90,90,90,90]''') AS costs_tell_nothing;
DROP POLICY few ON papers;
ALTER TABLE papers DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON papers FROM reader;
DROP ROLE reader;
BEGIN;
EXPLAIN (COSTS OFF) DELETE FROM papers WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 9.5;
WITH deleted AS (DELETE FROM papers WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 9.5 RETURNING id) SELECT count(*) FROM deleted;
SELECT count(*) FROM papers WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 9.5;
UPDATE papers SET embedding = '[1,2,3,4,5,6,7,8]' WHERE embedding <=> '[-1,0,0,9,0,-3,1,1]' < 0.05;
SELECT count(*) > 0 FROM papers WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 9.5;
ROLLBACK;
PREPARE within(veravec, float8) AS SELECT count(*), max(d) < $2 FROM (SELECT embedding <-> $1 AS d FROM papers WHERE embedding <-> $1 < $2 ORDER BY embedding <-> $1 LIMIT 1000) AS found;
SET plan_cache_mode = force_generic_plan;
EXECUTE within('[1,2,3,4,5,6,7,8]', 9.5);
EXECUTE within('[1,2,3,4,5,6,7,8]', 20);
EXECUTE within('[1,2,3,4,5,6,7,8]', NULL);
EXECUTE within(NULL, 9.5);
RESET plan_cache_mode;

-- A bitmap that has no room for rows has whole blocks.
SET work_mem = '64kB';
SELECT line FROM lines_of('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF)
    SELECT id FROM papers WHERE tenant < 15 ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 900') AS line WHERE line ~ 'Bitmap:';
SELECT differences('SELECT embedding <-> ''[1,2,3,4,5,6,7,8]'' FROM papers WHERE tenant < 15 ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 900');
RESET work_mem;
SET enable_seqscan = off;
DROP INDEX papers_tenant;
SELECT differences('SELECT embedding <-> ''[1,2,3,4,5,6,7,8]'' FROM papers WHERE id BETWEEN 1000 AND 3000 AND tenant = 8 ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 20');
CREATE INDEX papers_tenant ON papers (tenant);
RESET enable_seqscan;

-- With a condition that is the same for all rows, PostgreSQL puts a node over scans.
EXPLAIN (COSTS OFF) SELECT id FROM papers WHERE tenant = 7 AND current_setting('work_mem') <> '' ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]' LIMIT 5;
SELECT differences('SELECT embedding <-> ''[1,2,3,4,5,6,7,8]'' FROM papers WHERE tenant = 7 AND current_setting(''work_mem'') <> '''' ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 5');
SELECT differences('SELECT embedding <-> ''[1,2,3,4,5,6,7,8]'' FROM papers WHERE tenant = 7 AND current_setting(''work_mem'') = '''' ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 5');

-- Plans that are kept, parameters, and parameters that change from row to row.
SET plan_cache_mode = force_generic_plan;
PREPARE of_tenant(int, veravec, int) AS SELECT tenant, round((embedding <-> $2)::numeric, 4) FROM papers
    WHERE tenant = $1 AND id % 7 <> 3 ORDER BY embedding <-> $2 LIMIT $3;
EXPLAIN (COSTS OFF) EXECUTE of_tenant(7, '[1,2,3,4,5,6,7,8]', 4);
EXECUTE of_tenant(7, '[1,2,3,4,5,6,7,9]', 5);
EXECUTE of_tenant(8, '[1,2,3,4,5,6,7,8]', 3);
EXECUTE of_tenant(NULL, '[1,2,3,4,5,6,7,8]', 3);
EXECUTE of_tenant(8, NULL, 2);
RESET plan_cache_mode;
EXPLAIN (COSTS OFF) SELECT q.tenant, found.d FROM (VALUES (1, '[1,2,3,4,5,6,7,8]'::veravec), (7, '[8,7,6,5,4,3,2,1]'), (50, '[1,1,1,1,1,1,1,1]'), (8, NULL)) AS q(tenant, v),
    LATERAL (SELECT p.embedding <-> q.v AS d FROM papers p WHERE p.tenant = q.tenant ORDER BY p.embedding <-> q.v LIMIT 2) AS found;
SELECT q.tenant, round(found.d::numeric, 4) FROM (VALUES (1, '[1,2,3,4,5,6,7,8]'::veravec), (7, '[8,7,6,5,4,3,2,1]'), (50, '[1,1,1,1,1,1,1,1]'), (8, NULL)) AS q(tenant, v),
    LATERAL (SELECT p.embedding <-> q.v AS d FROM papers p WHERE p.tenant = q.tenant ORDER BY p.embedding <-> q.v LIMIT 2) AS found;

-- Cursors, row locks, system columns, joins that keep the order.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT round((embedding <-> '[1,2,3,4,5,6,7,8]')::numeric, 4) FROM papers WHERE tenant = 7 ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]' LIMIT 6;
FETCH 2 FROM c;
FETCH ALL FROM c;
FETCH FIRST FROM c;
SELECT id, ctid = (SELECT ctid FROM papers same WHERE same.id = found.id) AS is_its_own
    FROM (SELECT id, ctid FROM papers WHERE tenant = 7 ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]', id LIMIT 2 FOR UPDATE) AS found;
ROLLBACK;
SELECT differences('SELECT p.embedding <-> ''[1,2,3,4,5,6,7,8]'' FROM papers p JOIN papers o ON o.id = p.id + 50 WHERE p.tenant = 7 AND o.lang = ''en''
    ORDER BY p.embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 5');

-- What is asked of a table in LATERAL has values of another: only scans that are made for them may give it.
SELECT o.id, s.y FROM (VALUES (1, 100), (2, 200)) o (id, x) LEFT JOIN LATERAL
    (SELECT o.x + 1 AS y FROM papers WHERE embedding <-> '[0,0,0,0,0,0,0,0]' < 1 LIMIT 2) s ON true ORDER BY 1, 2;
CREATE TABLE outside AS SELECT i AS id, i * 100 AS x FROM generate_series(1, 3) i;
SELECT o.id, s.y, count(*) > 90 AS many FROM outside o LEFT JOIN LATERAL
    (SELECT o.x + 1 AS y FROM papers WHERE embedding <-> '[0,0,0,0,0,0,0,0]' < 1) s ON true GROUP BY 1, 2 ORDER BY 1, 2;
DROP TABLE outside;

-- A cursor whose rows have no columns still knows where they are.
VACUUM papers;
BEGIN;
SET LOCAL enable_seqscan = off;
DECLARE c CURSOR FOR SELECT FROM papers WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 30;
EXPLAIN (COSTS OFF) SELECT FROM papers WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 30;
FETCH 3 FROM c;
CREATE TABLE counted AS SELECT count(*) AS n FROM papers;
DELETE FROM papers WHERE CURRENT OF c;
SELECT n - (SELECT count(*) FROM papers) AS deleted FROM counted;
ROLLBACK;

-- Scans are counted, of an ordered scan and of this node.
SELECT pg_stat_force_next_flush();
SELECT coalesce(max(idx_scan), 0) AS before FROM pg_stat_user_indexes WHERE indexrelname = 'papers_embedding' \gset
SELECT count(*) FROM (SELECT FROM papers ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]' LIMIT 1) s;
SELECT count(*) > 0 AS some FROM papers WHERE embedding <-> '[1,2,3,4,5,6,7,8]' < 5;
SELECT pg_stat_force_next_flush();
SELECT idx_scan - :before AS scans FROM pg_stat_user_indexes WHERE indexrelname = 'papers_embedding';

-- Row-level security: each role sees its rows, and nothing of others'.
ALTER TABLE papers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON papers USING (tenant = current_setting('test.tenant')::int);
CREATE ROLE filter_first_reader;
GRANT SELECT ON papers TO filter_first_reader;
SET ROLE filter_first_reader;
SET test.tenant = 7;
SELECT differences('SELECT embedding <-> ''[1,2,3,4,5,6,7,8]'' FROM papers WHERE about @> ''{"kind": "k7"}'' ORDER BY embedding <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 5');
SELECT count(*), min(tenant), max(tenant) FROM (SELECT tenant FROM papers ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]' LIMIT 5) AS found;
RESET ROLE;
DROP POLICY own ON papers;
ALTER TABLE papers DISABLE ROW LEVEL SECURITY;

-- Not where conditions change their minds, not when it is switched off, not for tables without an index for the order.
SELECT plan_has('SELECT id FROM papers WHERE tenant = 7 AND random() < 2 ORDER BY embedding <=> ''[1,2,3,4,5,6,7,8]'' LIMIT 5', 'VeraFilterFirst') AS volatile,
    plan_has('SELECT id FROM papers WHERE tenant = 7 ORDER BY embedding <+> ''[1,2,3,4,5,6,7,8]'' LIMIT 5', 'VeraFilterFirst') AS other_order,
    plan_has('SELECT id FROM papers ORDER BY embedding <=> ''[1,2,3,4,5,6,7,8]'' LIMIT 5', 'VeraFilterFirst') AS unfiltered;
SET vera_vec.enable_filter_first = off;
SELECT plan_has('SELECT id FROM papers WHERE tenant = 7 ORDER BY embedding <=> ''[1,2,3,4,5,6,7,8]'' LIMIT 5', 'VeraFilterFirst') AS switched_off;
RESET vera_vec.enable_filter_first;
SELECT error_of('SET vera_vec.no_such_setting = 1');

-- A query of other dimensions is an error however it is asked, even a zero vector, which is at no distance from any.
SELECT error_of(format('SELECT count(*) FROM papers WHERE embedding <=> %L %s', query, condition))
FROM unnest(ARRAY['[0,0,0]', '[1,0,0]']) query, unnest(ARRAY['< 3', '>= 3', '< 3 AND tenant = 7']) condition;

-- Partitions, whose orders are merged.
CREATE TABLE parts (id int, tenant int, embedding veravec(8)) PARTITION BY LIST (tenant);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1, 3);
CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT id, tenant % 5, embedding FROM papers;
CREATE INDEX ON parts USING veraflat (embedding);
CREATE INDEX ON parts (tenant, id);
ANALYZE parts;
EXPLAIN (COSTS OFF) SELECT id FROM parts WHERE tenant IN (1, 2) AND id BETWEEN 1000 AND 2500 ORDER BY embedding <=> '[1,2,3,4,5,6,7,8]' LIMIT 5;
SELECT differences('SELECT embedding <=> ''[1,2,3,4,5,6,7,8]'' FROM parts WHERE tenant IN (1, 2) AND id BETWEEN 1000 AND 2500 ORDER BY embedding <=> ''[1,2,3,4,5,6,7,8]'' LIMIT 5');

DROP TABLE papers, parts;
DROP ROLE filter_first_reader;
DROP FUNCTION differences, lines_of, both_ways, cost_of;
