# Sourced by the sections that use pgbench.
# shellcheck shell=bash

# run_pgbench NAME CLIENTS SCRIPT [argument …]: the transactions per second become a sample.
run_pgbench() {
    local name=$1 clients=$2 script=$3 said tps
    shift 3
    said=$("$AUDITSPINE_PGBIN/pgbench" -n -M prepared -c "$clients" -j "$((clients < 2 ? 1 : 2))" -f "$BENCH/pgbench/$script" "$@" 2>&1) ||
        die "pgbench $name: $said"
    tps=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' <<<"$said")
    grep -q '^number of failed transactions: 0 ' <<<"$said" || die "pgbench $name: failed transactions: $said"
    sample "$name" "${tps:?pgbench printed no rate}"
}
