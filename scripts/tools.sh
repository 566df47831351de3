# Build tools: installed when missing, each under the cache. Sourced after common.sh.

ensure_rust() {
    local want have
    want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    command -v cargo >/dev/null || { [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"; } || true
    if ! command -v cargo >/dev/null && apt-cache show rustup >/dev/null 2>&1; then
        apt_install rustup
        rustup default stable
    fi
    command -v cargo >/dev/null || die "Rust $want or later is needed: install it from https://rustup.rs"
    have=$(rustc --version | cut -d' ' -f2)
    [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -1)" = "$want" ] ||
        die "Rust $want or later is needed (this is $have): run 'rustup update stable'"
}

ensure_build_tools() {
    apt_install build-essential clang libclang-dev pkg-config libssl-dev
    ensure_rust
}

# cargo_tool NAME VERSION: a cargo subcommand at an exact version, first on PATH.
# Built without optimisation: these tools wait for compilers and servers, and compile in half the time so.
cargo_tool() {
    local dir=$CACHE/tools/$1-$2
    if [ ! -x "$dir/bin/$1" ]; then
        log "building $1 $2 (once)"
        CARGO_TARGET_DIR=$CACHE/tools/build cargo install --quiet --locked --debug --root "$dir" "$1" --version "$2"
        rm -rf "$CACHE/tools/build"
    fi
    PATH=$dir/bin:$PATH
}

ensure_pgrx() { ensure_build_tools; cargo_tool cargo-pgrx "$PGRX_VERSION"; }

# pgrx_configure LINE...: pgrx's file of PostgreSQL versions, which `cargo pgrx init` would write. It is left alone if it
# would not change, because everything is compiled again when it is newer than the last build.
pgrx_configure() {
    local text
    text=$(printf '%s\n' '[configs]' "$@")
    mkdir -p "$PGRX_HOME"
    [ "$(cat "$PGRX_HOME/config.toml" 2>/dev/null)" = "$text" ] || printf '%s\n' "$text" >"$PGRX_HOME/config.toml"
}

# A Python with the client libraries that tests and benchmarks use.
ensure_python() {
    local venv=$CACHE/python stamp
    stamp=$venv/$(sha256sum "$ROOT/tests/requirements.txt" | cut -c1-16)
    if [ ! -f "$stamp" ]; then
        apt_install python3 python3-venv
        log "installing Python packages: $(tr '\n' ' ' <"$ROOT/tests/requirements.txt")"
        rm -rf "$venv"
        /usr/bin/python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$ROOT/tests/requirements.txt"
        touch "$stamp"
    fi
    PYTHON=$venv/bin/python
}

# What the examples are written in, beside Rust and Python; any Node.js and Go that are there will do.
ensure_examples_tools() {
    apt_install python3 python3-venv
    command -v npm >/dev/null || apt_install nodejs npm
    command -v go >/dev/null || apt_install golang-go
}
