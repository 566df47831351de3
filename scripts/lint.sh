#!/usr/bin/env bash
# make lint: formatting, clippy on every PostgreSQL version, documentation, dependencies, rules of our own.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/tools.sh"
source "$ROOT/scripts/postgres.sh"
cd "$ROOT"
export RUSTDOCFLAGS="-D warnings"

ensure_pgrx
log "rustfmt"
cargo fmt --all --check
log "clippy: the core"
cargo clippy --locked -p vera_vec_core --all-targets -- -D warnings
versions=()
for major in ${PG:-$ALL_PG}; do
    if pg_ensure "$major"; then versions+=("$major"); else echo "skipped: PostgreSQL $major can't be had on this machine"; fi
done
pgrx_configure_all
for major in "${versions[@]}"; do
    log "clippy: PostgreSQL $major"
    cargo clippy --locked -p vera_vec --all-targets --no-default-features --features "pg$major,pg_test" -- -D warnings
done
log "the example in Rust"
cargo fmt --manifest-path examples/rust/Cargo.toml --check
cargo clippy --locked --manifest-path examples/rust/Cargo.toml -- -D warnings
log "documentation of the core"
cargo doc --locked -p vera_vec_core --no-deps --quiet
log "dependencies"
cargo_tool cargo-deny 0.20.2
cargo deny --all-features check bans licenses sources
log "rules"
apt_install python3
python3 scripts/half_sql.py --check
# forbid WHY PATTERN PATHSPEC...: nothing that matches is in the project.
forbid() {
    local why=$1 pattern=$2; shift 2
    if git grep -nE "$pattern" -- "$@"; then die "$why"; fi
}
forbid "the core knows nothing of PostgreSQL" 'pgrx|pg_sys' 'crates/*.rs' 'crates/*.toml'
forbid "what is still to be done belongs into an issue" '(^|[^A-Z])(TODO|FIXME|XXX)([^A-Z]|$)|todo!|unimplemented!' '*.rs' '*.sql' '*.py' '*.sh' ':!scripts/lint.sh'
# Upgrade scripts that were released are never edited: sql/vera_vec--*--*.sql of a tagged version.
for tag in $(git tag --list 'v*'); do
    git diff --quiet "$tag" -- "sql/vera_vec--*--${tag#v}.sql" || die "sql/vera_vec--*--${tag#v}.sql was released in $tag and has been edited"
done
echo "lint: no complaints"
