#!/usr/bin/env bash
# make test: every layer on every PostgreSQL version. `PG=17` for one of them, `LAYERS="regress client"` for some.
#
#   core      cargo test of the crate without PostgreSQL: unit and property tests (once, not per version)
#   pg_test   cargo pgrx test: Rust tests inside a backend
#   regress   SQL in, expected output out, by PostgreSQL's own pg_regress (tests/regress)
#   beside    together with pgvector, or with a stand-in where pgvector can't be had (tests/beside_pgvector.sql)
#   dump      pg_dump and restore (tests/dump.sh)
#   client    psycopg: text and binary, COPY, fuzzed input (tests/client)
#   readme    every SQL example of the documentation
#   half      the indexes' tests in half precision (VECTOR_TYPE=verahalfvec), shorter; on the oldest and the newest version
#   bridge    on pgvector's types with pgvector's operators: tests/bridge.py, the oracle, pgvector's clients (tests/clients)
#   store     the document store: random filters and searches beside what they mean, several sessions (tests/store)
#   examples  the programs in examples, and what they print; on one version
#   ddl, isolation, oracle, filters, crash, replica, damage
#             indexes on whole servers (tests/cluster): what SQL can do to a table, chosen interleavings, random queries
#             by index and without, random filters by all kinds of indexes, kill -9, a standby, damaged files
#   release   regress once more with an optimised build, on one version
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/tools.sh"
source "$ROOT/scripts/postgres.sh"
source "$ROOT/scripts/server.sh"
trap server_stop EXIT

PASSED=0
FAILED=0
SKIPPED=()
CLUSTER="ddl isolation oracle filters crash replica damage"
LAYERS=${LAYERS:-core pg_test regress beside dump client readme store $CLUSTER half bridge release examples}
# Seconds of the random tests and rounds of kill -9, on each version.
export ORACLE_SECONDS=${ORACLE_SECONDS:-60} FILTERS_SECONDS=${FILTERS_SECONDS:-25} CRASH_ROUNDS=${CRASH_ROUNDS:-15}

wants() { [[ " $LAYERS " == *" $1 "* ]]; }

# tally NAME PASSED FAILED EXIT_STATUS: a command that failed without a failed test has failed as a whole.
tally() {
    local passed=$2 failed=$3
    if [ "$4" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
    if [ "$4" = 0 ] && [ "$passed" = 0 ] && [ "$failed" = 0 ]; then echo "$1: ran no test"; failed=1; fi
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
    echo "-- $1: $passed passed, $failed failed"
}

OUTPUT=$(mktemp)

# The closing lines of cargo's test harness, of which there is one for each program.
run_cargo() {
    local name=$1 status=0; shift
    "$@" 2>&1 | tee "$OUTPUT" || status=$?
    tally "$name" "$(awk '/^test result:/ {n += $4} END {print n + 0}' "$OUTPUT")" \
        "$(awk '/^test result:/ {n += $6} END {print n + 0}' "$OUTPUT")" "$status"
}

# A script of ours that ends with a line `N passed, N failed`.
run_script() {
    local name=$1 status=0; shift
    "$@" 2>&1 | tee "$OUTPUT" || status=$?
    tally "$name" "$(sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$OUTPUT" | tail -1 | grep . || echo 0)" \
        "$(sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$OUTPUT" | tail -1 | grep . || echo 0)" "$status"
}

# install_build MAJOR [--release]: builds the extension and installs it into our own copy of that PostgreSQL.
install_build() {
    local major=$1; shift
    cargo pgrx install "$@" --no-default-features --features "pg$major" --pg-config "$(pg_config_path "$major")" \
        >"$OUTPUT" 2>&1 || { cat "$OUTPUT"; return 1; }
    cp "$ROOT"/bridge/vera_vec_pgvector* "$("$(pg_config_path "$major")" --sharedir)/extension"
}

run_regress() {
    local name=$1 major=$2 pg_config work status=0
    pg_config=$(pg_config_path "$major")
    # What an EXPLAIN counts depends on what VACUUM could remove: a statement of autovacuum's would keep rows from it. (With
    # autovacuum off, CREATE INDEX of PostgreSQL 18 would not count the table's rows.)
    server_start "$pg_config" "autovacuum_naptime = 1d"
    work=$(mktemp -d)
    (cd "$work" && PGOPTIONS="--client-min-messages=warning" \
        "$(dirname "$("$pg_config" --pgxs)")/../test/regress/pg_regress" --use-existing --dbname=postgres \
        --bindir="$BIN" --inputdir="$ROOT/tests/regress" --outputdir="$work" \
        --schedule="$ROOT/tests/regress/schedule") 2>&1 | tee "$OUTPUT" || status=$?
    [ "$status" = 0 ] || cat "$work/regression.diffs"
    # Its lines are TAP from PostgreSQL 16 on: "ok 1 - name"; before: "test name ... ok".
    tally "$name" "$(grep -cE '^ok |^test .*\.\.\. ok' "$OUTPUT")" \
        "$(grep -cE '^not ok |^test .*\.\.\. FAILED' "$OUTPUT")" "$status"
    rm -rf "$work"
    server_stop
}

# with_server MAJOR COMMAND...: with an empty database on a fresh server.
with_server() {
    local major=$1 status=0; shift
    server_start "$(pg_config_path "$major")"
    "$@" || status=$?
    server_stop
    return "$status"
}

ensure_pgrx
log "PostgreSQL versions"
VERSIONS=()
for major in ${PG:-$ALL_PG}; do
    if pg_ensure "$major"; then
        VERSIONS+=("$major")
        echo "$major: $("$(pg_config_path "$major")" --version)$(pg_has_assertions "$major" && echo ', with assertions')"
    else
        SKIPPED+=("PostgreSQL $major")
    fi
done
[ ${#VERSIONS[@]} != 0 ] || die "no PostgreSQL to test on"
pgrx_configure_all

if wants core; then
    log "core"
    run_cargo core cargo test --locked -p vera_vec_core
fi

clients_ran=0   # one version will do for pgvector's clients
for major in "${VERSIONS[@]}"; do
    if wants pg_test; then
        log "PostgreSQL $major: pg_test"
        ensure_server_user
        rm -rf "$CACHE/pg_test-data"
        mkdir -p "$CACHE/pg_test-data"
        if [ "$(id -u)" = 0 ]; then
            apt_install sudo
            chown "$SERVER_USER" "$CACHE/pg_test-data"
            export CARGO_PGRX_TEST_RUNAS=$SERVER_USER
        fi
        export CARGO_PGRX_TEST_PGDATA=$CACHE/pg_test-data
        run_cargo "pg_test on $major" cargo pgrx test "pg$major" --no-default-features
        rm -rf "$CACHE/pg_test-data"
    fi
    if [[ " core pg_test release examples " != *" $LAYERS "* ]]; then
        log "PostgreSQL $major: SQL and clients"
        if ! install_build "$major"; then
            tally "build for $major" 0 1 1
            continue
        fi
        has_pgvector=0
        if wants beside || wants bridge; then pgvector_ensure "$major" && has_pgvector=1; fi
        wants regress && run_regress "regress on $major" "$major"
        wants beside && run_script "beside pgvector on $major" with_server "$major" bash "$ROOT/tests/beside_pgvector.sh"
        wants dump && run_script "dump on $major" with_server "$major" bash "$ROOT/tests/dump.sh"
        ensure_python
        export PYTHON CACHE
        wants client && run_script "client on $major" with_server "$major" "$PYTHON" "$ROOT/tests/client/test_client.py"
        wants readme && run_script "readme on $major" with_server "$major" "$PYTHON" "$ROOT/tests/documentation.py"
        if wants store; then
            for part in filters searches sessions; do
                run_script "store: $part on $major" with_server "$major" "$PYTHON" "$ROOT/tests/store/$part.py"
            done
        fi
        for layer in $CLUSTER; do
            # Each of these starts servers of its own.
            BIN=$("$(pg_config_path "$major")" --bindir)
            export BIN
            if wants "$layer"; then run_script "$layer on $major" "$PYTHON" "$ROOT/tests/cluster/$layer.py"; fi
        done
        # The code is the same as veravec's: the oldest and the newest version will do.
        if wants half && { [ "$major" = "${VERSIONS[0]}" ] || [ "$major" = "${VERSIONS[-1]}" ]; }; then
            for layer in oracle filters crash replica damage; do
                run_script "half: $layer on $major" env VECTOR_TYPE=verahalfvec ORACLE_SECONDS=$((ORACLE_SECONDS / 3)) \
                    FILTERS_SECONDS=$((FILTERS_SECONDS / 2)) CRASH_ROUNDS=$((CRASH_ROUNDS / 3)) "$PYTHON" "$ROOT/tests/cluster/$layer.py"
            done
        fi
        if wants bridge; then
            if [ $has_pgvector = 1 ]; then
                run_script "bridge on $major" with_server "$major" "$PYTHON" "$ROOT/tests/bridge.py"
                for type in vector halfvec; do
                    run_script "bridge: oracle of $type on $major" env VECTOR_TYPE=$type ORACLE_SECONDS=$((ORACLE_SECONDS / 4)) \
                        "$PYTHON" "$ROOT/tests/cluster/oracle.py"
                done
                if [ $clients_ran = 0 ]; then
                    clients_ran=1
                    ensure_examples_tools
                    run_script "bridge: clients on $major" with_server "$major" "$PYTHON" "$ROOT/tests/clients/run.py"
                fi
            else
                SKIPPED+=("pgvector for PostgreSQL $major")
            fi
        fi
    fi
done

if wants release; then
    log "optimised build"
    major=${VERSIONS[0]}
    if install_build "$major" --release; then run_regress "regress on $major, optimised" "$major"
    else tally "optimised build for $major" 0 1 1; fi
fi

if wants examples; then
    log "examples"
    major=${VERSIONS[0]}
    ensure_python
    ensure_examples_tools
    export PYTHON CACHE
    # Of the last build for it, if there was one: this comes after the optimised one.
    if wants release || install_build "$major"; then
        run_script "examples on $major" with_server "$major" "$PYTHON" "$ROOT/tests/store/examples.py"
    else
        tally "build for $major" 0 1 1
    fi
fi

rm -f "$OUTPUT"
for skipped in ${SKIPPED[@]+"${SKIPPED[@]}"}; do echo "skipped: $skipped can't be had on this machine"; done
echo "$PASSED passed, $FAILED failed${SKIPPED[0]+, ${#SKIPPED[@]} skipped}"
[ "$FAILED" = 0 ]
