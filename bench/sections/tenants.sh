# Blueprint zerotrace with a chain for each of 1,000 companies: 16 connections that write through row-level security; and
# verifying the chain of one company against verifying all.
# shellcheck shell=bash
. "$BENCH/pgbench/run.sh"

# Companies whose chains are verified one after the other, so that a time is long enough to be measured.
VERIFIED=20

tenants_run() {
    local variant=$1
    fresh "$variant"
    PGOPTIONS="$PGOPTIONS -c role=bench_zerotrace" \
        run_pgbench "tenants.$variant" 16 tenant_insert.sql@3 -f "$BENCH/pgbench/tenant_update.sql@1" -T "$DURATION"
    [ "$variant" = zerotrace ] || return 0
    # An UPDATE to the value that was there is no event, so their number is not known.
    expect "entries of findings" \
        "$(ask "SELECT count(*) FROM auditspine.audit_chain WHERE op = 'I' AND event_kind = 'zerotrace.network_findings'")" \
        "$(ask 'SELECT count(*) FROM zerotrace.network_findings')"
    expect "chains in order" "$(ask "SELECT count(*) FROM verify_chain() WHERE ok AND chain <> 'main'")" 1000
}

run_tenants() {
    local round variant value
    for round in $(seq "$ROUNDS"); do
        note "tenants: round $round of $ROUNDS"
        for variant in $(rotated "$round" zerotrace_unaudited zerotrace); do tenants_run "$variant"; done
    done

    fresh zerotrace
    note "tenants: writing $(thousands "$ROWS") entries"
    sql -c "CALL report(20000, $((ROWS - 1)))" -c 'VACUUM (ANALYZE) auditspine.audit_chain' -c CHECKPOINT
    for round in $(seq "$ROUNDS"); do
        time_statements <<END
SELECT 1 / min(ok::int) FROM verify_chain();
-- time tenants.all
SELECT 1 / min(ok::int) FROM verify_chain();
-- time tenants.some
SELECT 1 / min(ok::int) FROM generate_series(1, $VERIFIED) AS n, verify_chain(company(n * 1000 / $VERIFIED)::text);
END
    done
    for value in $(samples tenants.some); do sample tenants.one "$(awk -v v="$value" -v n="$VERIFIED" 'BEGIN { print v / n }')"; done
    sql -c 'DROP SCHEMA zerotrace CASCADE'

    local target=
    # Of a short chain, what a call costs at least is not a small part.
    [ "$ROWS" -lt 300000 ] || target=0.02
    compare rate "zerotrace, 1,000 chains, 16 clients, 3 INSERTs to 1 UPDATE: unaudited" tenants.zerotrace_unaudited tenants.zerotrace /s 0.70
    compare cost "verify_chain(one of 1,000), $(thousands "$ROWS") entries: verify_chain()" tenants.all tenants.one ms "$target"
}
