#!/usr/bin/env bash
# make demo: from nothing to real vector search in SQL. KEEP=1 leaves the server running; PG=17 chooses a version.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/tools.sh"
source "$ROOT/scripts/postgres.sh"
source "$ROOT/scripts/server.sh"

log "build tools"
ensure_pgrx
log "PostgreSQL"
for major in ${PG:-$(distribution_pg) $ALL_PG}; do
    pg_ensure "$major" && break
done
pg_config=$(pg_config_path "$major")
[ -n "$pg_config" ] || die "no PostgreSQL to be had: tried ${PG:-$ALL_PG}"
"$pg_config" --version
pgrx_configure_all
log "building vera_vec, optimised (about two minutes the first time)"
cargo pgrx install --release --no-default-features --features "pg$major" --pg-config "$pg_config" 2>&1 |
    grep -E '^(error|warning)|Finished' || die "the build failed: run 'make install PG_CONFIG=$pg_config' to see why"
log "starting a private server"
trap server_stop EXIT
server_start "$pg_config"
PSQL=("$BIN/psql" -X -q -v ON_ERROR_STOP=1)
"${PSQL[@]}" -c 'CREATE EXTENSION vera_vec'
"${PSQL[@]}" -At -c "SELECT 'vera_vec ' || extversion || ' on ' || split_part(version(), ' on ', 1)
    || ', distances by ' || vera_vec_simd_level() FROM pg_extension WHERE extname = 'vera_vec'"
log "loading 5,000 texts with embeddings of 384 dimensions"
cd "$ROOT"
"${PSQL[@]}" -c '\timing on' -f demo/load.sql
log "asking"
"${PSQL[@]}" -P border=1 -c '\timing on' -f demo/queries.sql
log "asking the document store"
"${PSQL[@]}" -P border=1 -c '\timing on' -f demo/store.sql
if [ "${KEEP:-0}" = 1 ]; then
    trap - EXIT
    log "the server keeps running"
    echo "connect: $BIN/psql -h $PGHOST -U postgres postgres"
    if [ "$(id -u)" = 0 ]; then run="setpriv --reuid $SERVER_USER --regid $SERVER_USER --init-groups "; else run=; fi
    echo "stop:    $run$BIN/pg_ctl -D $PGHOST/data stop && rm -r $PGHOST"
else
    log "done; the server and its data are gone (KEEP=1 make demo keeps them)"
fi
