# A private PostgreSQL server: own data directory, own socket directory, no TCP port. Sourced after postgres.sh.
#
# server_start PG_CONFIG [SETTING...] sets BIN, PGHOST, PGPORT, PGUSER and PGDATABASE for psql and others;
# server_stop ends it and removes its files; server_restart_command prints what restarts it. A script that starts one should `trap server_stop EXIT`.

SERVER_DIR=

server_start() {
    local pg_config=$1 setting; shift
    BIN=$("$pg_config" --bindir)
    ensure_server_user
    SERVER_DIR=$(mktemp -d "${TMPDIR:-/tmp}/vera_vec.XXXXXX")
    chmod 755 "$SERVER_DIR"
    [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$SERVER_DIR"
    as_server_user "$BIN/initdb" --pgdata="$SERVER_DIR/data" --username=postgres --auth=trust --encoding=UTF8 \
        --locale=C --no-sync >"$SERVER_DIR/initdb.log" 2>&1 || { cat "$SERVER_DIR/initdb.log" >&2; return 1; }
    {
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$SERVER_DIR'"
        echo "fsync = off"   # no test or demonstration here survives a power failure anyway
        for setting in "$@"; do echo "$setting"; done
    } | as_server_user tee -a "$SERVER_DIR/data/postgresql.conf" >/dev/null
    # RUST_BACKTRACE, so that tests see whether a backtrace gets out to a client.
    (cd / && RUST_BACKTRACE=1 as_server_user "$BIN/pg_ctl" --pgdata="$SERVER_DIR/data" --log="$SERVER_DIR/log" --wait --silent start) ||
        { cat "$SERVER_DIR/log" >&2; return 1; }
    export BIN PGHOST=$SERVER_DIR PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

server_stop() {
    [ -n "$SERVER_DIR" ] || return 0
    (cd / && as_server_user "$BIN/pg_ctl" --pgdata="$SERVER_DIR/data" --wait --silent --mode=immediate stop) >/dev/null 2>&1 || true
    rm -rf "$SERVER_DIR"
    SERVER_DIR=
}

server_restart_command() {
    [ "$(id -u)" != 0 ] || printf 'setpriv --reuid %q --regid %q --init-groups ' "$SERVER_USER" "$SERVER_USER"
    printf '%q --pgdata=%q --log=%q --wait --silent --mode=fast restart\n' "$BIN/pg_ctl" "$SERVER_DIR/data" "$SERVER_DIR/log"
}
