#!/usr/bin/env bash
# make bench: kernels, then SQL beside pgvector on one server; prints tables, writes them to benches/results.
# BENCH_ROWS=20000 for a shorter run; BENCH_DATA=file.f16bin for data of one's own; BENCH_KERNELS=0 and BENCH_SQL=0 leave out
# what comes before the index (benches/README.md).
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/tools.sh"
source "$ROOT/scripts/postgres.sh"
source "$ROOT/scripts/server.sh"
trap server_stop EXIT

ensure_pgrx
ensure_python
mkdir -p "$ROOT/benches/results"
if [ "${BENCH_KERNELS:-1}" = 1 ]; then
    log "kernels, in cache"
    cargo bench --locked -p vera_vec_core --bench distance -- --noplot --warm-up-time 0.3 --measurement-time 1 >"$CACHE/bench.log" 2>&1 ||
        { tail -50 "$CACHE/bench.log"; die "the kernels' benchmark failed"; }
    "$PYTHON" "$ROOT/benches/kernels.py" "$CARGO_TARGET_DIR/criterion" "$ROOT/benches/results/kernels.csv"
    log "kernels, out of cache"
    cargo bench --quiet --locked -p vera_vec_core --bench bandwidth -- "$ROOT/benches/results/bandwidth.csv"
fi

# 16, because it comes with pgvector, both built without assertions; else the distribution's.
major=${PG:-16}
pg_ensure "$major" || major=$(distribution_pg)
pg_ensure "$major" || die "no PostgreSQL $major to be had"
pgrx_configure_all
log "building for PostgreSQL $major"
cargo pgrx install --release --no-default-features --features "pg$major" --pg-config "$(pg_config_path "$major")" >"$CACHE/bench.log" 2>&1 ||
    { tail -50 "$CACHE/bench.log"; die "the build failed"; }
log "SQL"
server_start "$(pg_config_path "$major")" "shared_buffers = 4GB" "max_wal_size = 16GB" "work_mem = 64MB" "jit = off"
cd "$ROOT"
[ "${BENCH_SQL:-1}" != 1 ] || "$PYTHON" benches/sql.py benches/results/sql.csv
server_stop
log "the index"
"$PYTHON" -m pip install --quiet --disable-pip-version-check -r benches/requirements.txt || echo "without faiss, which can't be had"
server_start "$(pg_config_path "$major")" "shared_buffers = 4GB" "max_wal_size = 16GB" "work_mem = 64MB" "maintenance_work_mem = 256MB" "jit = off"
"$PYTHON" benches/index.py benches/results/index.csv
