#!/usr/bin/env bash
# pg_dump and restore: in both of pg_dump's formats everything that uses the type comes back as it was.
# Needs a server's PGHOST and so on, and its programs in BIN.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
psql() { "$BIN/psql" -XqAt -v ON_ERROR_STOP=1 "$@"; }
passed=0
failed=0
psql <<'S'
CREATE SCHEMA extensions;
CREATE EXTENSION vera_vec SCHEMA extensions;
SET search_path = public, extensions;
CREATE TABLE items (id int PRIMARY KEY, v veravec(3) DEFAULT '[1,2,3]', w veravec, a veravec(2)[], CHECK (l2_norm(w) > 0));
CREATE INDEX items_v ON items (v);
CREATE INDEX items_w ON items USING hash (w);
CREATE INDEX items_norm ON items ((l2_norm(v)));
INSERT INTO items VALUES (1);
INSERT INTO items VALUES (2, '[-0,1e-45,3.4028235e38]', '[1]', '{"[1,2]",NULL}'), (3, NULL, array_fill(0.1, ARRAY[16000])::veravec, NULL);
CREATE VIEW near AS SELECT id, v <=> '[1,2,3]' AS distance, v::real[] AS numbers FROM items ORDER BY v <=> '[1,2,3]';
CREATE MATERIALIZED VIEW averages AS SELECT avg(v), sum(v) FROM items;
CREATE TABLE parts (v veravec) PARTITION BY RANGE (v);
CREATE TABLE low PARTITION OF parts FOR VALUES FROM (MINVALUE) TO ('[0]');
CREATE TABLE high PARTITION OF parts FOR VALUES FROM ('[0]') TO (MAXVALUE);
INSERT INTO parts VALUES ('[-1]'), ('[1,2]');
CREATE SCHEMA shelf;
SELECT vera.create_collection('Bücher', 3, 'l2', ARRAY['lang', 'year numeric'], schema => 'shelf');
SELECT vera.add_documents('Bücher', '[{"id": "a", "content": "x", "embedding": [1, 2, 3], "metadata": {"lang": "en", "year": 1.50}}, {"id": "b"}]');
SELECT vera.create_collection('renamed', 2);
ALTER TABLE renamed RENAME TO "another name";
SELECT vera.create_collection('gone', 2);
DROP TABLE gone;
S
"$BIN/pg_dump" postgres | grep -vE '^(--|\\(un)?restrict|$)' >"$work/original.sql"
for format in plain custom; do
    "$BIN/createdb" "$format"
    "$BIN/pg_dump" --format="$format" --file="$work/dump" postgres
    if [ "$format" = plain ]; then psql -d "$format" -f "$work/dump" >/dev/null
    else "$BIN/pg_restore" --dbname="$format" "$work/dump"; fi
    if "$BIN/pg_dump" "$format" | grep -vE '^(--|\\(un)?restrict|$)' | diff "$work/original.sql" -; then
        echo "ok: $format"; passed=$((passed + 1))
    else
        echo "FAILED: $format"; failed=$((failed + 1))
    fi
done

# check WHAT EXPECTED GOT
check() {
    if [ "$2" = "$3" ]; then echo "ok: $1"; passed=$((passed + 1))
    else printf 'FAILED: %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3"; failed=$((failed + 1)); fi
}
# Collections come back as what they were, without the one that has lost its table.
store="SELECT string_agg(name || ' ' || relation || ' ' || metric, ', ' ORDER BY name) FROM vera.collections;
SELECT id, distance, metadata FROM vera.search('Bücher', '[1,2,4]', filter => '{\"lang\": \"en\"}'); SELECT vera.count('renamed')"
expected='Bücher shelf."Bücher" l2, renamed "another name" cosine
a|1|{"lang": "en", "year": 1.50}
0'
for format in plain custom; do check "collections, $format" "$expected" "$(psql -d "$format" -c "$store")"; done

# Somebody who is no superuser dumps a database of his and restores it.
psql <<'S'
CREATE ROLE librarian LOGIN;
CREATE DATABASE library OWNER librarian;
CREATE DATABASE copied OWNER librarian;
S
for database in library copied; do psql -d "$database" -c "CREATE EXTENSION vera_vec"; done
psql -U librarian -d library -c "SELECT vera.create_collection('mine', 2)" -c "SELECT vera.add_documents('mine', '[{\"id\": \"a\", \"embedding\": [1, 2]}]')" >/dev/null
"$BIN/pg_dump" -U librarian --format=custom --file="$work/mine" library
# He may not comment on the extension, which is there already.
"$BIN/pg_restore" --list "$work/mine" | grep -v 'COMMENT - EXTENSION' >"$work/list"
"$BIN/pg_restore" -U librarian --dbname=copied --no-owner --use-list="$work/list" "$work/mine"
check "by the owner of a database" "a|1" "$(psql -U librarian -d copied -c "SELECT id, score FROM vera.search('mine', '[1,2]')")"
for database in library copied; do "$BIN/dropdb" "$database"; done
psql -c "DROP ROLE librarian"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
