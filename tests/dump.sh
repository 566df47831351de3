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
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
