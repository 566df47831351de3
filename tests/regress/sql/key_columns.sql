-- Key columns: conditions that the index answers before it looks at vectors. Answers are those of a plain scan.
SET client_min_messages = warning;
\set VERBOSITY terse

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE notes (id int, small smallint, whole int, big bigint, single real, double double precision, exact numeric, flag boolean, day date,
    moment timestamp, instant timestamptz, label uuid, title text, code varchar(20), feeling mood, address inet, embedding veravec(4), filler int);
INSERT INTO notes SELECT i, i % 50 - 25, i % 40 - 20, CASE i % 11 WHEN 0 THEN 9223372036854775807 WHEN 1 THEN 9223372036854775806
            WHEN 2 THEN '-9223372036854775808' ELSE i % 90 END,
        CASE i % 13 WHEN 0 THEN 'NaN' WHEN 1 THEN 'inf' WHEN 2 THEN '-inf' WHEN 3 THEN '-0' ELSE i % 30 / 10.0 END::real,
        CASE i % 14 WHEN 0 THEN 'NaN' WHEN 1 THEN 'inf' WHEN 2 THEN '-inf' WHEN 3 THEN '1e-320' ELSE i % 30 / 10.0 END::float8,
        CASE i % 15 WHEN 0 THEN 'NaN' WHEN 1 THEN 1e400 WHEN 2 THEN 'inf' WHEN 3 THEN -1e400 WHEN 4 THEN 1e-400 WHEN 5 THEN 0.1 ELSE 0.1 + 1e-30 * (i % 7) END,
        i % 2 = 0, CASE i % 30 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN '5000000-01-01' ELSE date '2024-01-01' + i % 60 END,
        CASE i % 30 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' ELSE timestamp '2024-01-01' + i % 600 * interval '1 hour' END,
        timestamptz '2024-01-01 00:00+00' + i % 600 * interval '1 hour', ('00000000-0000-' || lpad(to_hex(i % 30), 4, '0') || '-0000-00000000000' || i % 3)::uuid,
        'title ' || i % 20, 'c' || i % 25, (enum_range(NULL::mood))[i % 3 + 1], ('10.0.' || i % 20 || '.1')::inet,
        ARRAY[i % 17 - 8, i % 23 - 11, i % 5 - 2, i % 29]::real[]::veravec(4)
    FROM generate_series(1, 6000) i;
UPDATE notes SET small = NULL, whole = NULL, big = NULL, single = NULL, double = NULL, exact = NULL, flag = NULL, day = NULL, moment = NULL,
    instant = NULL, label = NULL, title = NULL, code = NULL, feeling = NULL, address = NULL WHERE id % 19 = 0;
UPDATE notes SET embedding = NULL WHERE id % 31 = 0;
CREATE INDEX notes_keys ON notes USING veraflat (embedding, small, whole, big, single, double, exact, flag, day, moment, instant, label, title, code,
    feeling, address);
DELETE FROM notes WHERE id % 7 = 0;
VACUUM ANALYZE notes;
-- After the build: in slots that VACUUM has freed, and in new segments; with keys that no segment has had.
INSERT INTO notes (id, small, whole, big, title, embedding) SELECT i, i % 50, 1000 + i % 3, -7, 'late ' || i % 4, ARRAY[i % 7, 1, 1, i % 3]::real[]::veravec(4)
    FROM generate_series(10001, 13000) i;
SELECT format_version, key_columns, rows, segments FROM veraflat_index_info('notes_keys');
SELECT veraflat_check('notes_keys');

-- How it looks.
SET enable_sort = off;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM notes WHERE whole = 3 AND title = 'title 3' AND id > 5 ORDER BY embedding <=> '[1,2,3,4]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM notes WHERE big BETWEEN 5 AND 9 AND small IS NULL ORDER BY embedding <-> '[1,2,3,4]' LIMIT 5;

CREATE FUNCTION differences(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    query text;
    with_index float8[];
    without float8[];
    used boolean := true;
BEGIN
    FOREACH query IN ARRAY ARRAY['SELECT embedding <=> ''[1,2,3,4]'' FROM notes WHERE %s ORDER BY embedding <=> ''[1,2,3,4]'' LIMIT 9',
            'SELECT embedding <-> ''[0,-2,3,4]'' FROM notes WHERE %s ORDER BY embedding <-> ''[0,-2,3,4]'' OFFSET 2'] LOOP
        query := format(query, condition);
        used := used AND plan_has(query, 'Index Cond');
        EXECUTE 'SELECT array_agg(d) FROM (' || query || ') AS found(d)' INTO with_index;
        PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true);
        EXECUTE 'SELECT array_agg(d) FROM (' || query || ') AS found(d)' INTO without;
        PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
        IF with_index IS DISTINCT FROM without THEN
            RETURN format('%s with, %s without', with_index, without);
        END IF;
    END LOOP;
    RETURN CASE WHEN used THEN '' ELSE 'not used; ' END || coalesce(cardinality(with_index), 0) || ' rows';
END $$;

-- Every type with every operator, and with values of other types.
SELECT side, literal, string_agg(operator || ': ' || differences(format('%s %s %s', side, operator, literal)), ', ' ORDER BY number)
    FROM (VALUES ('small', '7::smallint'), ('small', '7'), ('small', '70000'), ('small', '7::bigint'), ('whole', '3'), ('whole', '-3::smallint'), ('whole', '9999999999'),
        ('big', '9223372036854775807'), ('big', '9223372036854775806'), ('big', '(-9223372036854775808)'), ('big', '5'), ('big', '5::smallint'),
        ('single', '0::real'), ('single', '''NaN''::real'), ('single', '0.7::real'), ('single', '0.7::float8'), ('single', '''-inf''::float8'),
        ('double', '''-0''::float8'), ('double', '''NaN''::float8'), ('double', '0.7::float8'), ('double', '0.7::real'), ('double', '''inf''::float8'),
        ('exact', '0.1'), ('exact', '(0.1 + 1e-30 * 3)'), ('exact', '1e400'), ('exact', '''NaN''::numeric'), ('exact', '''inf''::numeric'), ('exact', '0'),
        ('day', 'date ''2024-01-05'''), ('day', 'date ''infinity'''), ('day', 'timestamp ''2024-01-05 00:00'''),
        ('day', 'timestamp ''2024-01-05 00:01'''), ('day', 'timestamp ''-infinity'''), ('moment', 'timestamp ''2024-01-05 03:00'''), ('moment', 'date ''2024-01-05'''),
        ('moment', 'date ''5000000-01-01'''), ('moment', 'timestamp ''infinity'''), ('instant', 'timestamptz ''2024-01-05 03:00+00'''),
        ('label', 'uuid ''00000000-0000-0007-0000-000000000001''')) AS v(side, literal),
    unnest(ARRAY['<', '<=', '=', '>=', '>']) WITH ORDINALITY AS o(operator, number)
    GROUP BY side, literal ORDER BY side, literal;
-- Equality alone; NULL; both of them; none.
SELECT condition, differences(condition) FROM unnest(ARRAY['title = ''title 7''', 'code = ''c7''', 'feeling = ''ok''', 'address = ''10.0.3.1''', '3 = whole',
    'title IS NULL', 'title IS NOT NULL', 'big IS NULL', 'big IS NOT NULL', 'small = 7 AND flag', 'small > 3 AND small <= 9 AND whole < 4', 
    'title = ''late 1''', 'whole = 1002', 'whole > 500', 'big = -7 AND small = 3', 'title = ''none''', 'embedding IS NULL AND flag',
    'embedding IS NOT NULL AND whole = 3', 'whole = (SELECT 3)', 'whole = 3 AND id % 2 = 0']) AS condition;
-- Any of an array, and what not all of PostgreSQL's versions ask of an index.
SELECT condition, regexp_replace(differences(condition), 'not used; ', '') FROM unnest(ARRAY['flag', 'NOT flag', 'flag < true', 'flag >= true', 'small = 1 AND small = 2', 'title = NULL', 'whole IN (3, 5, NULL, -20, 1001)', 'title IN (''title 1'', ''late 2'')',
    'small = ANY (''{}''::smallint[])', 'small = ANY (NULL::smallint[])', 'small < ANY (''{-20,-23}''::int[])', 'feeling = ANY (''{sad,happy}'')',
    'code IN (''c1'', ''c2'') AND whole IN (1, 2, 3)', 'double IN (''NaN'', 0.7)', 'whole = ANY (ARRAY(SELECT i FROM generate_series(-20, 20, 2) i))']) AS condition;

-- Parameters, also of other tables; cursors; rows that are locked.
PREPARE by_tenant(int, text) AS SELECT embedding <-> '[1,2,3,4]' FROM notes WHERE whole = $1 AND title = $2 ORDER BY embedding <-> '[1,2,3,4]' LIMIT 3;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_tenant(3, 'title 3');
EXECUTE by_tenant(3, 'title 3');
EXECUTE by_tenant(3, NULL);
RESET plan_cache_mode;
EXPLAIN (COSTS OFF) SELECT t, found.id FROM generate_series(1, 3) t, LATERAL (SELECT id FROM notes WHERE whole = t ORDER BY embedding <-> '[1,2,3,4]' LIMIT 2) AS found;
SELECT t, min(d) FROM generate_series(1, 3) t, LATERAL (SELECT embedding <-> '[1,2,3,4]' AS d FROM notes WHERE whole = t ORDER BY embedding <-> '[1,2,3,4]' LIMIT 2) AS found
    GROUP BY t ORDER BY t;
BEGIN;
DECLARE c CURSOR FOR SELECT whole, embedding <-> '[1,2,3,4]' FROM notes WHERE whole = 4 ORDER BY embedding <-> '[1,2,3,4]';
FETCH 2 FROM c;
DELETE FROM notes WHERE whole = 4;
FETCH 1 FROM c;
ROLLBACK;
SELECT whole FROM notes WHERE whole = 4 ORDER BY embedding <-> '[1,2,3,4]' LIMIT 1 FOR UPDATE;

-- Keys first, the vector last; taxicab; an expression; few rows; another time.
CREATE INDEX notes_first ON notes USING veraflat (title, (whole % 7), embedding veravec_l1_ops) WHERE flag;
SELECT plan_has('SELECT id FROM notes WHERE flag AND title = ''title 2'' AND whole % 7 = 2 ORDER BY embedding <+> ''[1,2,3,4]'' LIMIT 3', 'Index Scan using notes_first');
SELECT whole, embedding <+> '[1,2,3,4]' FROM notes WHERE flag AND title IN ('title 2', 'title 4') AND whole % 7 = 2 ORDER BY embedding <+> '[1,2,3,4]' LIMIT 3;
REINDEX TABLE notes;
SELECT veraflat_check('notes_keys'), veraflat_check('notes_first');
SELECT condition, differences(condition) FROM unnest(ARRAY['title = ''title 7''', 'whole > 500', 'big IS NULL']) AS condition;

-- A tenant's rows lie together after a build: its query reads few pages.
CREATE TABLE tenants (tenant int, embedding veravec(64));
INSERT INTO tenants SELECT i % 1000, ARRAY(SELECT (i * 7919 + j * 104729) % 97 FROM generate_series(1, 64) j)::real[]::veravec(64) FROM generate_series(1, 40000) i;
CREATE INDEX tenants_index ON tenants USING veraflat (embedding, tenant);
ANALYZE tenants;
SELECT count(*) FROM (SELECT FROM tenants WHERE tenant = 500 ORDER BY embedding <=> ones(64)::veravec LIMIT 10) AS found;
SELECT rows_bounded < 600 AS few_bounded, pages_read < 60 AS few_read FROM veraflat_scan_stats();

-- What an operator class of keys has to be.
CREATE OPERATOR CLASS wrong_key_ops FOR TYPE int USING veraflat AS OPERATOR 3 = , OPERATOR 2 <= (int, bigint), FUNCTION 1 int4abs(int), FUNCTION 2 hashint4extended(int, bigint);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'wrong_key_ops';
DROP OPERATOR FAMILY wrong_key_ops USING veraflat;
SELECT veraflat_key(-7), veraflat_key(-0.5) < veraflat_key(0.0) AS ordered, veraflat_key(date '2000-01-02');

-- Memory does not grow: neither with the times that a scan with an array is started, nor with the rows that are given keys.
SELECT max(used) < 9e6 AS enough FROM generate_series(1, 300) g, LATERAL
    (SELECT id FROM notes WHERE whole = ANY ((SELECT array_agg(i + 0 * g) FROM generate_series(1, 4000) i)::int[]) ORDER BY embedding <-> '[1,2,3,4]' LIMIT 1) s,
    LATERAL (SELECT sum(total_bytes) AS used FROM pg_backend_memory_contexts WHERE g = 300) m;
CREATE FUNCTION used_memory(number int, value numeric) RETURNS numeric IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
    used bigint;
BEGIN
    IF number IN (100, 3000) THEN
        SELECT sum(used_bytes) INTO used FROM pg_backend_memory_contexts WHERE name !~ '^TupleSort|^Caller tuples';
        IF number = 100 THEN
            PERFORM set_config('test.used', used::text, false);
        ELSIF used > current_setting('test.used')::bigint + 50000 THEN
            RAISE '% bytes more', used - current_setting('test.used')::bigint;
        END IF;
    END IF;
    RETURN value;
END $$;
CREATE TABLE counted AS SELECT i AS number, i * 1.5 AS value, '[1,2]'::veravec(2) AS embedding FROM generate_series(1, 3000) i;
CREATE INDEX counted_key ON counted USING veraflat (embedding, used_memory(number, value));
INSERT INTO counted SELECT * FROM counted;
SELECT veraflat_check('counted_key', true);
DROP TABLE counted;
DROP FUNCTION used_memory;

RESET enable_sort;
RESET enable_seqscan;
DROP TABLE notes, tenants;
DROP TYPE mood;
DROP FUNCTION differences;
