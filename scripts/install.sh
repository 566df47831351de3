#!/usr/bin/env bash
# make install PG_CONFIG=/path/to/pg_config: an optimised build into that PostgreSQL installation.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/tools.sh"

pg_config=${PG_CONFIG:-$(command -v pg_config || true)}
[ -n "$pg_config" ] || die "say into which PostgreSQL: make install PG_CONFIG=/path/to/pg_config"
"$pg_config" --version >/dev/null 2>&1 || die "$pg_config can't be run"
major=$("$pg_config" --version | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
[ -f "$("$pg_config" --includedir-server)/postgres.h" ] ||
    die "no server headers in $("$pg_config" --includedir-server): install postgresql-server-dev-$major"
[[ " $ALL_PG " == *" $major "* ]] || die "$("$pg_config" --version) is not supported: one of $ALL_PG is"
ensure_pgrx
PGRX_HOME=$CACHE/pgrx-install
pgrx_configure "pg$major = \"$pg_config\""
sudo=()
[ -w "$("$pg_config" --pkglibdir)" ] || sudo=(--sudo)
cargo pgrx install "${sudo[@]}" --release --no-default-features --features "pg$major" --pg-config "$pg_config"
# The bridge needs nothing built.
if [ ${#sudo[@]} = 0 ]; then as_root=; else as_root=sudo; fi
$as_root install -m 644 "$ROOT"/bridge/vera_vec_pgvector* "$("$pg_config" --sharedir)/extension"
echo "Now, in a database: CREATE EXTENSION vera_vec;"
