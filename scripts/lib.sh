# Sourced by every script here: where things are, and as whom servers run. No command is run by sourcing it.
# shellcheck shell=bash
#
# Settings that a caller may make:
#   PG_MAJOR            PostgreSQL major version, 14 to 18 (default: an installed one, then what Debian has; 15 first)
#   PG_CONFIG           pg_config of the installation to build for (default: Debian's of PG_MAJOR)
#   AUDITSPINE_SCRATCH  folder for private servers (default: one in /var/tmp for each user and checkout)
#   CARGO_TARGET_DIR, CARGO_INCREMENTAL   as for cargo

set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 USER="${USER:-$(id -un)}" CARGO_NET_RETRY="${CARGO_NET_RETRY:-5}"

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CARGO_PGRX_VERSION=$(sed -n 's/^pgrx = "=\([0-9.]*\)"$/\1/p' "$ROOT/Cargo.toml")
CARGO_DENY_VERSION=0.20.2
RUST_VERSION=$(sed -n 's/^rust-version = "\([0-9.]*\)"$/\1/p' "$ROOT/Cargo.toml")
CARGO_PGRX_ROOT=${XDG_CACHE_HOME:-$HOME/.cache}/auditspine/cargo-pgrx-$CARGO_PGRX_VERSION
SCRATCH=${AUDITSPINE_SCRATCH:-/var/tmp/auditspine-$(id -u)-$(printf %s "$ROOT" | sha256sum | cut -c1-8)}
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
# What incremental builds keep takes gigabytes.
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}
# build.rs says this to the linker where it matters. cargo-pgrx would by flags of the compiler, for which everything else
# is built once more.
export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND=1
# rustup's folder last: cargo is found even where the shell's profile does not name it.
PATH=$CARGO_PGRX_ROOT/bin:$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

# No variable may point a client at somebody's real server, nor cargo-pgrx at somebody's settings; what scripts/test
# itself has set stays. A RUST_BACKTRACE in a server's environment would end up in the DETAIL of its errors.
case ${PGHOST:-} in "$SCRATCH"/*) ;; *) unset PGHOST PGPORT PGUSER ;; esac
for variable in ${!PG@}; do
    case $variable in PG_MAJOR | PG_CONFIG | PGHOST | PGPORT | PGUSER) ;; *) unset "$variable" ;; esac
done
unset RUST_BACKTRACE RUST_LOG MAKEFLAGS MFLAGS MAKELEVEL variable

say() { printf '\n==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() { printf 'auditspine: %s\n' "$*" >&2; exit 1; }

# PostgreSQL refuses to run as root: root's servers run as Debian's user for it, everybody else's as themselves.
if [ "$(id -u)" = 0 ]; then SERVER_USER=postgres; else SERVER_USER=$(id -un); fi

# Runs a command as the server's user, from a folder that it can reach.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec runuser -u "$SERVER_USER" -- "$@")
    else
        "$@"
    fi
}

# The scratch folder lies where others may write too, so one that somebody else planted is refused.
make_scratch() {
    [ "${#SCRATCH}" -le 70 ] || die "AUDITSPINE_SCRATCH is too long for a Unix socket in it: $SCRATCH"
    [ -d "$SCRATCH" ] || mkdir -p -m 755 "$SCRATCH"
    [ -O "$SCRATCH" ] && [ ! -L "$SCRATCH" ] || die "$SCRATCH belongs to somebody else; set AUDITSPINE_SCRATCH"
}

# Whether everything to build for and run PostgreSQL major $1 is installed, as Debian lays it out.
major_is_installed() {
    local lib=/usr/lib/postgresql/$1
    [ -x "$lib/bin/postgres" ] && [ -x "$lib/bin/pg_config" ] && [ -x "$lib/lib/pgxs/src/test/regress/pg_regress" ] &&
        [ -f "$("$lib/bin/pg_config" --includedir-server)/postgres.h" ]
}

# Sets PG_CONFIG and PG_MAJOR to the installation to build for; fails if there is none.
find_postgres() {
    local major
    if [ -n "${PG_CONFIG:-}" ]; then
        PG_MAJOR=$("$PG_CONFIG" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
        return
    fi
    for major in ${PG_MAJOR:-15 18 17 16 14}; do
        if major_is_installed "$major"; then
            PG_MAJOR=$major PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config
            return
        fi
    done
    return 1
}

# What cargo needs to build against the private tree of profile $1 (scripts/tree): a PGRX_HOME of our own.
use_tree() {
    find_postgres || die "no PostgreSQL to build for: run scripts/setup"
    TREE=$SCRATCH/$1
    TREE_PG_CONFIG=$TREE$("$PG_CONFIG" --bindir)/pg_config
    [ -x "$TREE_PG_CONFIG" ] || die "no private tree: run scripts/tree $1"
    export PGRX_HOME=$TREE/pgrx
    export AUDITSPINE_PGBIN=${TREE_PG_CONFIG%/pg_config} AUDITSPINE_PGCTL=$ROOT/scripts/scratch-server
    CARGO_FEATURES=(--no-default-features --features "pg$PG_MAJOR")
}
