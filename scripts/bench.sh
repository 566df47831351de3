#!/usr/bin/env bash
# make bench: kernels, SQL, the index, and its peers on one server; prints tables, writes them to benches/results.
# BENCH_ROWS=20000 for a shorter run, BENCH_FULL=1 for a long one; BENCH_DATA=file.f16bin for data of one's own. Of the parts
# only the peers are quick; BENCH_KERNELS, BENCH_SQL, BENCH_INDEX, BENCH_SWEEP, BENCH_STORE, BENCH_TYPES, BENCH_PEERS = 1 or 0
# choose (benches/README.md).
# BENCH_RESULTS=directory for the files.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/tools.sh"
source "$ROOT/scripts/postgres.sh"
source "$ROOT/scripts/server.sh"
trap server_stop EXIT

full=${BENCH_FULL:-0}
results=${BENCH_RESULTS:-$ROOT/benches/results}
ensure_pgrx
ensure_python
mkdir -p "$results"
if [ "${BENCH_KERNELS:-$full}" = 1 ]; then
    log "kernels, in cache"
    cargo bench --locked -p vera_vec_core --bench distance -- --noplot --warm-up-time 0.3 --measurement-time 1 >"$CACHE/bench.log" 2>&1 ||
        { tail -50 "$CACHE/bench.log"; die "the kernels' benchmark failed"; }
    "$PYTHON" "$ROOT/benches/kernels.py" "$CARGO_TARGET_DIR/criterion" "$results/kernels.csv"
    log "kernels, out of cache"
    cargo bench --quiet --locked -p vera_vec_core --bench bandwidth -- "$results/bandwidth.csv"
fi

# 16, because it comes with pgvector, both built without assertions; else the distribution's.
major=${PG:-16}
pg_ensure "$major" || major=$(distribution_pg)
pg_ensure "$major" || die "no PostgreSQL $major to be had"
pgrx_configure_all
log "building for PostgreSQL $major"
cargo pgrx install --release --no-default-features --features "pg$major" --pg-config "$(pg_config_path "$major")" >"$CACHE/bench.log" 2>&1 ||
    { tail -50 "$CACHE/bench.log"; die "the build failed"; }
cp "$ROOT"/bridge/vera_vec_pgvector* "$("$(pg_config_path "$major")" --sharedir)/extension"
cd "$ROOT"
# One by one, because the benchmarks can do without each of them.
xargs -n 1 "$PYTHON" -m pip install --quiet --disable-pip-version-check <benches/requirements.txt ||
    echo "not all of benches/requirements.txt can be had"

# part NAME FILE RESULT [SETTING...]: runs benches/FILE on a server of its own
part() {
    local name=$1 file=$2 result=$3; shift 3
    log "$name"
    server_start "$(pg_config_path "$major")" "shared_buffers = 4GB" "max_wal_size = 16GB" "work_mem = 64MB" "jit = off" "$@"
    BENCH_RESTART="$(server_restart_command)" "$PYTHON" "benches/$file" "$result"
    server_stop
}
[ "${BENCH_SQL:-$full}" != 1 ] || part SQL sql.py "$results/sql.csv"
[ "${BENCH_INDEX:-$full}" != 1 ] || part "the index" index.py "$results/index.csv" "maintenance_work_mem = 256MB"
[ "${BENCH_SWEEP:-$full}" != 1 ] || part "plans of filters" sweep.py "$results/sweep.csv" "maintenance_work_mem = 256MB" "autovacuum = off"
[ "${BENCH_STORE:-$full}" != 1 ] || part "the document store" store.py "$results/store.csv" "maintenance_work_mem = 256MB"
[ "${BENCH_TYPES:-$full}" != 1 ] || part "types" element_types.py "$results/element_types.csv" "maintenance_work_mem = 256MB"
# numpy is to have one thread, like everybody in that race; and no VACUUM but those that it measures is to run.
export OPENBLAS_NUM_THREADS=1
[ "${BENCH_PEERS:-1}" != 1 ] || part "its peers" peers.py "$results" "maintenance_work_mem = 256MB" "autovacuum = off"
