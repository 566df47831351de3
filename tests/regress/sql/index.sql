-- The access method veraflat: what it is, what it accepts, when it is used, and that its answers are the table's.
SET client_min_messages = warning;
\set VERBOSITY terse

-- What it is.
SELECT opcname, amvalidate(oid) FROM pg_opclass
    WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'veraflat') ORDER BY opcname;
SELECT property, pg_indexam_has_property((SELECT oid FROM pg_am WHERE amname = 'veraflat'), property)
    FROM unnest(ARRAY['can_order', 'can_unique', 'can_multi_col', 'can_exclude', 'can_include']) AS property;

CREATE TABLE items (id int, tenant int, embedding veravec(3));
INSERT INTO items SELECT i, i % 10, ARRAY[i % 17 - 8, i % 23 - 11, i % 5 - 2]::real[]::veravec(3)
    FROM generate_series(1, 5000) i;
INSERT INTO items VALUES (5001, 1, NULL), (5002, 2, '[0,0,0]'), (5003, 3, '[1e30,1,-1e-30]');
CREATE INDEX items_index ON items USING veraflat (embedding);
CREATE INDEX items_l1 ON items USING veraflat (embedding veravec_l1_ops);
CREATE INDEX items_id ON items (id);
VACUUM ANALYZE items;
SELECT property, pg_index_column_has_property('items_index', 1, property), pg_index_has_property('items_index', property)
    FROM unnest(ARRAY['distance_orderable', 'asc', 'returnable', 'search_nulls', 'clusterable', 'index_scan', 'bitmap_scan',
        'backward_scan']) AS property;
SELECT format_version, codes, dimensions, rows, free_slots >= 0 AS has_free, segments FROM veraflat_index_info('items_index');
SELECT format_version, codes, dimensions, rows FROM veraflat_index_info('items_l1');
SELECT veraflat_check('items_index'), veraflat_check('items_l1', heapallindexed => false);

-- What it does not accept.
SELECT error_of('CREATE INDEX ON items USING veraflat (embedding) WITH (lists = 100)');
SELECT error_of('CREATE UNIQUE INDEX ON items USING veraflat (embedding)');
SELECT error_of('CREATE INDEX ON items USING veraflat (tenant, embedding, embedding)');
SELECT error_of('CREATE INDEX ON items USING veraflat (embedding, (int4range(id, NULL)))');
SELECT error_of('CREATE INDEX ON items USING veraflat (embedding) INCLUDE (tenant)');
SELECT error_of('CREATE INDEX ON items USING veraflat (tenant)');
SELECT error_of('CREATE INDEX ON items USING veraflat (embedding DESC)');
SELECT error_of('CLUSTER items USING items_index');
SELECT error_of('CREATE TABLE broken (embedding veravec); CREATE INDEX ON broken USING veraflat (embedding)');
SELECT error_of('SELECT veraflat_index_info(''items_id'')');
SELECT error_of('SELECT veraflat_check(''items'')');
SELECT error_of('SELECT id FROM items ORDER BY embedding <-> ''[1,2]'' LIMIT 1');
CREATE ROLE veraflat_tester;
SET ROLE veraflat_tester;
SELECT error_of('SELECT veraflat_check(''items_index'')');
RESET ROLE;
DROP ROLE veraflat_tester;
-- An operator class that is none.
CREATE OPERATOR CLASS wrong_ops FOR TYPE veravec USING veraflat AS
    OPERATOR 3 <-> (veravec, veravec) FOR ORDER BY float_ops, OPERATOR 4 <+> (veravec, veravec) FOR ORDER BY float_ops;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'wrong_ops';
DROP OPERATOR FAMILY wrong_ops USING veraflat;

-- When it is used, without any enable_* setting: where few rows of many are wanted in order of distance.
SELECT plan_has('SELECT id FROM items ORDER BY embedding <-> ''[1,2,3]'' LIMIT 5', 'Index Scan using items_index') AS l2,
    plan_has('SELECT id FROM items ORDER BY embedding <#> ''[1,2,3]'' LIMIT 5', 'Index Scan using items_index') AS inner_product,
    plan_has('SELECT id FROM items ORDER BY embedding <=> ''[1,2,3]'' LIMIT 5', 'Index Scan using items_index') AS cosine,
    plan_has('SELECT id FROM items ORDER BY embedding <+> ''[1,2,3]'' LIMIT 5', 'Index Scan using items_l1') AS l1,
    plan_has('SELECT id FROM items WHERE tenant <> 7 ORDER BY embedding <=> ''[1,2,3]'' LIMIT 5', 'Index Scan using items_index') AS filtered;
-- … and not without a limit, for the other direction, for an order that is none of its own, for a small table, and not where another index
-- leaves few rows.
SELECT plan_has('SELECT id FROM items ORDER BY embedding <-> ''[1,2,3]''', 'items_index') AS all_rows,
    plan_has('SELECT id FROM items ORDER BY embedding <-> ''[1,2,3]'' DESC LIMIT 5', 'items_index') AS descending,
    plan_has('SELECT id FROM items ORDER BY embedding LIMIT 5', 'items_index') AS other_order,
    plan_has('SELECT id FROM items WHERE id % 1000 = 7 AND tenant = 7 ORDER BY embedding <-> ''[1,2,3]'' LIMIT 5', 'items_index') AS most_dropped,
    plan_has('SELECT id FROM items WHERE id = 7 ORDER BY embedding <-> ''[1,2,3]'' LIMIT 5', 'items_index') AS selective,
    plan_has('SELECT count(*) FROM items', 'items_index') AS counted;
CREATE TABLE tiny (embedding veravec(3));
INSERT INTO tiny SELECT ARRAY[i, i, i]::real[]::veravec(3) FROM generate_series(1, 20) i;
CREATE INDEX tiny_index ON tiny USING veraflat (embedding);
ANALYZE tiny;
SELECT plan_has('SELECT * FROM tiny ORDER BY embedding <-> ''[1,2,3]'' LIMIT 5', 'tiny_index') AS tiny;

-- Answers: ties make ids differ, so distances are compared; and where NULL and NaN come.
CREATE FUNCTION differences(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    with_index float8[];
    without float8[];
BEGIN
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_sort = off;
    EXECUTE query INTO with_index;
    SET LOCAL enable_indexscan = off;
    SET LOCAL enable_seqscan = on;
    SET LOCAL enable_sort = on;
    EXECUTE query INTO without;
    SET LOCAL enable_indexscan = on;
    RETURN (SELECT count(*) FROM unnest(with_index, without) AS d(a, b) WHERE a IS DISTINCT FROM b);
END $$;
SELECT operator, vector, differences(format(
    'SELECT array_agg(d) FROM (SELECT embedding %s %L AS d FROM items ORDER BY embedding %1$s %2$L) AS found', operator, vector))
FROM unnest(ARRAY['<->', '<#>', '<=>', '<+>']) AS operator,
    unnest(ARRAY['[1,2,3]', '[0,0,0]', '[-8,-11,-2]', '[1e30,0,0]', '[1e-40,0,0]', NULL]) AS vector;
SET enable_seqscan = off;
SELECT id, embedding <=> '[-1,-1,-1]' AS distance FROM items ORDER BY embedding <=> '[-1,-1,-1]' OFFSET 5001;
SELECT id, embedding <-> '[1e30,1,0]' < 1e20 AS near FROM items ORDER BY embedding <-> '[1e30,1,0]' LIMIT 1;
SELECT rows_bounded, rows_refined > 0 AS refined, rows_returned > 0 AS returned, passes, pages_read > 0 AS pages_read
    FROM veraflat_scan_stats();
RESET enable_seqscan;

-- Rows come and go; freed slots are taken again.
DELETE FROM items WHERE id % 2 = 0;
VACUUM items;
SELECT rows FROM veraflat_index_info('items_index');
CREATE TEMP TABLE before AS SELECT pg_relation_size('items_index') AS size;
INSERT INTO items SELECT i, i % 10, ARRAY[i % 17 - 8, i % 23 - 11, i % 5 - 2]::real[]::veravec(3)
    FROM generate_series(1, 2400) i;
UPDATE items SET embedding = '[3,3,3]' WHERE id < 10;
SELECT veraflat_check('items_index'), veraflat_check('items_l1');
SELECT pg_relation_size('items_index') = size AS same_size FROM before;
SELECT differences('SELECT array_agg(d) FROM (SELECT embedding <-> ''[3,3,3]'' AS d FROM items ORDER BY embedding <-> ''[3,3,3]'') AS f');

-- Two orders by distance: the second decides among ties of the first.
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM items ORDER BY embedding <-> '[3,3,3]', embedding <-> '[1,1,1]' LIMIT 3;
SELECT differences($$SELECT array_agg(d) FROM (SELECT embedding <-> '[1,1,1]' AS d FROM items
    ORDER BY embedding <#> '[1,0,0]', embedding <-> '[1,1,1]' LIMIT 500) AS f$$);
RESET enable_seqscan;

-- Rows keep their place in the table, which those that the executor reorders lose.
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT ctid, id FROM items ORDER BY embedding <-> '[3,3,3]' LIMIT 100) AS f
    WHERE NOT EXISTS (SELECT FROM items WHERE items.ctid = f.ctid AND items.id = f.id);
SELECT count(*) FROM (SELECT id FROM items ORDER BY embedding <=> '[3,3,2]' LIMIT 100 FOR UPDATE) AS f;
-- Nothing but the order can be had from the index.
CREATE INDEX items_some ON items USING veraflat (embedding) WHERE tenant = 1;
SELECT plan_has('SELECT count(*) FROM items WHERE tenant = 1', 'items_some') AS counted,
    plan_has('SELECT id FROM items WHERE tenant = 1 ORDER BY embedding <-> NULL', 'items_some') AS by_null,
    plan_has('SELECT id FROM items WHERE tenant = 1 ORDER BY embedding <-> ''[1,2,3]'' LIMIT 2', 'items_some') AS ordered;
DROP INDEX items_some;
RESET enable_seqscan;

-- Work memory for a fraction of the rows: the scan starts again where it stopped.
INSERT INTO items SELECT i, 0, ARRAY[random(), random(), random()]::real[]::veravec(3) FROM generate_series(1, 30000) i;
SET work_mem = '64kB';
SELECT differences('SELECT array_agg(d) FROM (SELECT embedding <-> ''[0.5,0.5,0.5]'' AS d FROM items ORDER BY embedding <-> ''[0.5,0.5,0.5]'' LIMIT 6000) AS f');
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT * FROM items ORDER BY embedding <-> '[0.5,0.5,0.5]' LIMIT 6000) AS f;
SELECT passes > 3 AS many_passes FROM veraflat_scan_stats();
RESET work_mem;
RESET enable_seqscan;

-- Progress of CREATE INDEX has names for its phases.
SELECT DISTINCT pg_indexam_progress_phasename(oid, phase) FROM pg_am, generate_series(0, 5) AS phase WHERE amname = 'veraflat' ORDER BY 1;

-- Vectors of one dimension, and of the most.
CREATE TABLE extremes (one veravec(1), most veravec(16000));
INSERT INTO extremes SELECT ARRAY[i]::real[]::veravec(1), array_fill(i::real, ARRAY[16000])::veravec(16000) FROM generate_series(1, 20) i;
CREATE INDEX extremes_one ON extremes USING veraflat (one);
CREATE INDEX extremes_most ON extremes USING veraflat (most);
INSERT INTO extremes SELECT ARRAY[i]::real[]::veravec(1), array_fill(i::real, ARRAY[16000])::veravec(16000) FROM generate_series(21, 40) i;
SELECT veraflat_check('extremes_one'), veraflat_check('extremes_most');
SET enable_seqscan = off;
SELECT one FROM extremes ORDER BY one <-> '[17.4]' LIMIT 3;
SELECT one FROM extremes ORDER BY most <-> array_fill(17.4::real, ARRAY[16000])::veravec LIMIT 3;
RESET enable_seqscan;

DROP TABLE items, tiny, extremes;
DROP FUNCTION differences;
