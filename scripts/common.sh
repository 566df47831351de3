# Shared by the other scripts: paths, messages, privileges. Sourced, never run.
set -euo pipefail

# `make` has started us, and what we start has makefiles of its own: PostgreSQL's behave differently below another make.
unset MAKELEVEL MAKEFLAGS MFLAGS MAKEOVERRIDES

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What is slow to make (PostgreSQL builds, tools, compiled dependencies) is kept outside the checkout.
# As root it must be somewhere that an unprivileged server process can read: root's home often is not.
if [ -z "${VERA_VEC_CACHE:-}" ]; then
    if [ "$(id -u)" = 0 ]; then VERA_VEC_CACHE=/var/cache/vera_vec
    else VERA_VEC_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/vera_vec; fi
fi
CACHE=$VERA_VEC_CACHE
mkdir -p "$CACHE"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
# Cargo goes by times, and what another checkout has built there may be newer than this one's sources.
if [ "$(cat "$CARGO_TARGET_DIR/checkout" 2>/dev/null)" != "$ROOT" ]; then
    mkdir -p "$CARGO_TARGET_DIR"
    find "$ROOT/crates" "$ROOT/src" "$ROOT/sql" "$ROOT/benches" \( -name '*.rs' -o -name '*.sql' \) -exec touch {} +
    echo "$ROOT" >"$CARGO_TARGET_DIR/checkout"
fi
export PGRX_HOME=$CACHE/pgrx

PGRX_VERSION=$(sed -n 's/^pgrx = .*"=\([0-9.]*\)".*/\1/p' "$ROOT/Cargo.toml")
ALL_PG="15 16 17 18"

log() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "need root (or sudo) to run: $*"; fi
}

# apt_install PACKAGE...: installs those that are missing; says nothing and asks nothing when there are none.
APT_UPDATED=
apt_update() {
    [ -n "$APT_UPDATED" ] && return
    as_root apt-get update -qq >/dev/null
    APT_UPDATED=1
}
apt_install() {
    local missing=() p
    for p in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
    done
    [ ${#missing[@]} = 0 ] && return
    log "installing packages: ${missing[*]}"
    apt_update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# PostgreSQL refuses to run as root; as root, servers run as this user.
SERVER_USER=${VERA_VEC_SERVER_USER:-postgres}
ensure_server_user() {
    [ "$(id -u)" = 0 ] || return 0
    id "$SERVER_USER" >/dev/null 2>&1 || useradd --system --user-group --home-dir "$CACHE" --shell /bin/sh "$SERVER_USER"
}
as_server_user() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid "$SERVER_USER" --regid "$SERVER_USER" --init-groups -- "$@"
    else "$@"; fi
}
