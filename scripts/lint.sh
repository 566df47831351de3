#!/usr/bin/env bash
# make lint: formatting, clippy on every PostgreSQL version, documentation, dependencies, rules of our own.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/tools.sh"
source "$ROOT/scripts/postgres.sh"
cd "$ROOT"
export RUSTFLAGS= RUSTDOCFLAGS="-D warnings"

ensure_pgrx
log "rustfmt"
cargo fmt --all --check
log "clippy: the core"
cargo clippy --locked -p vera_vec_core --all-targets -- -D warnings
for major in ${PG:-$ALL_PG}; do
    pg_ensure "$major" || { echo "skipped: PostgreSQL $major can't be had on this machine"; continue; }
    pgrx_init "$major"
    log "clippy: PostgreSQL $major"
    cargo clippy --locked -p vera_vec --all-targets --no-default-features --features "pg$major,pg_test" -- -D warnings
done
log "documentation of the core"
cargo doc --locked -p vera_vec_core --no-deps --quiet
log "dependencies"
cargo_tool cargo-deny 0.20.2
cargo deny --all-features check bans licenses sources
log "rules"
# The core knows nothing of PostgreSQL; storage of secrets and paths of a machine have no place in the project.
! grep -rnE 'pgrx|pg_sys' crates --include='*.rs' --include=Cargo.toml
# Comments that say that something is still to be done belong into an issue.
! git grep -nE 'TODO|FIXME|XXX|todo!\(|unimplemented!\(' -- '*.rs' '*.sql' '*.sh' ':!scripts/lint.sh'
# Upgrade scripts that were released are never edited: sql/vera_vec--*--*.sql of a tagged version.
for tag in $(git tag --list 'v*'); do
    git diff --quiet "$tag" -- "sql/vera_vec--*--${tag#v}.sql" || die "sql/vera_vec--*--${tag#v}.sql was released in $tag and has been edited"
done
echo "lint: no complaints"
