#!/usr/bin/env bash
# vera_vec and pgvector in one schema, created in either order; where pgvector is not available, a stand-in type
# with pgvector's names takes its place. Needs a server's PGHOST and so on, and psql in BIN.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
passed=0
failed=0
available=$("$BIN/psql" -XAtc "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
ours=(-c "CREATE EXTENSION vera_vec")
if [ -n "$available" ]; then
    theirs=(-c "CREATE EXTENSION vector")
    echo "with pgvector $available"
else
    theirs=(-f "$here/pgvector_stand_in.sql")
    echo "pgvector is not available here: with a stand-in"
fi

# attempt NAME COMMAND...: creates both by the psql arguments given, then compares what a script prints.
attempt() {
    local name=$1 database=beside_$passed$failed; shift
    "$BIN/createdb" "$database"
    if "$BIN/psql" -XqAt -v ON_ERROR_STOP=1 -d "$database" "$@" &&
        diff "$here/beside_pgvector.out" <("$BIN/psql" -XqAt -v ON_ERROR_STOP=1 -d "$database" -f "$here/beside_pgvector.sql" 2>&1); then
        echo "ok: $name"
        passed=$((passed + 1))
    else
        echo "FAILED: $name"
        failed=$((failed + 1))
    fi
}
attempt "vera_vec created first" "${ours[@]}" "${theirs[@]}"
attempt "vera_vec created last" "${theirs[@]}" "${ours[@]}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
