# verify_all(): everything, and what was added since the last clean run, on a chain of many entries and one of many
# tenants.
# shellcheck shell=bash

# Rows that are added before each incremental run.
ADDED=1000

# Times a full and an incremental run, as samples $1.full and $1.last; each must find everything in order.
time_runs() {
    local round
    ask "SELECT 1 / min(ok::int) FROM verify_all()" >/dev/null
    for round in $(seq "$ROUNDS"); do
        note "routine: $1, round $round of $ROUNDS"
        sql -c "CALL fill($ADDED, 100)"
        expect "entries added" "$(ask "SELECT sum(entries) FROM (SELECT count(*) AS entries FROM auditspine.audit_chain
            UNION ALL SELECT -sum(pos) FROM auditspine.verified_head) AS n")" "$ADDED"
        time_statements <<END
-- time $1.last
SELECT 1 / min(ok::int) FROM verify_all('last');
-- time $1.full
SELECT 1 / min(ok::int) FROM verify_all();
END
    done
    expect "incremental runs" "$(ask "SELECT count(*) FROM auditspine.verification WHERE ok AND scope = 'incremental' AND entries = $ADDED")" "$ROUNDS"
}

run_routine() {
    local entries tenants target=
    # Of a short chain, a thousand entries are not a small part.
    [ "$ENTRIES" -lt 1000000 ] || target=0.05
    fresh auditspine
    sql -f "$BENCH/sql/fill.sql"
    note "routine: writing $(thousands "$ENTRIES") entries"
    fill_chain "$ENTRIES"
    sql -c 'VACUUM (ANALYZE) finding'
    time_runs routine
    entries=$(thousands "$ENTRIES")
    compare cost "verify_all('last'), $ADDED rows added to $entries: verify_all()" routine.full routine.last ms "$target"

    # The same number of entries in a chain for each of 10,000 tenants.
    fresh auditspine_tenants
    sql -f "$BENCH/sql/fill.sql"
    tenants=$((ENTRIES / 100))
    note "routine: writing $entries entries of $(thousands "$tenants") tenants"
    sql -c "INSERT INTO finding (scan_id, severity, title, score)
            SELECT n % $tenants, 'low', 'CVE-2026-' || n, 1 FROM generate_series(1, $ENTRIES) AS n"
    sql -c 'VACUUM (ANALYZE) auditspine.audit_chain' -c 'VACUUM (ANALYZE) finding' -c CHECKPOINT
    time_runs tenants
    compare cost "verify_all('last'), as above in $(thousands "$tenants") chains: verify_all()" tenants.full tenants.last ms
}
