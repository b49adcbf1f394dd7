# Verifying a chain that eight sessions wrote at the same time, against a plain scan and against verification in SQL.
# shellcheck shell=bash

# A statement that must find nothing: division by zero if it does.
clean() { echo "SELECT 1 / (count(*) = 0)::int FROM ($1) AS bad;"; }

run_verify() {
    local round settings suffix links events
    local scan='SELECT count(*), sum(length(chain_hash)) FROM auditspine.audit_chain;'
    local verify="SELECT 1 / min(ok::int) FROM verify_chain();"
    links=$(tr '\n' ' ' <"$BENCH/baselines/verify_links.sql" | sed 's/.*\*\///')
    events=$(tr '\n' ' ' <"$BENCH/baselines/verify_events.sql" | sed 's/.*\*\///')

    fresh auditspine
    sql -f "$BENCH/sql/fill.sql"
    note "verify: writing $(thousands $((ENTRIES / 10))) entries"
    fill_chain $((ENTRIES / 10))
    for round in $(seq "$ROUNDS"); do sample verify.memory.tenth "$(peak_memory "$verify")"; done
    note "verify: writing $(thousands "$ENTRIES") entries"
    fill_chain $((ENTRIES - ENTRIES / 10))
    expect "entries" "$(ask "SELECT count(*) FROM auditspine.audit_chain WHERE op <> 'S'")" "$ENTRIES"
    for round in $(seq "$ROUNDS"); do sample verify.memory.whole "$(peak_memory "$verify")"; done

    for round in $(seq "$ROUNDS"); do
        note "verify: round $round of $ROUNDS"
        for suffix in one_process default; do
            [ $suffix = default ] && settings= || settings='SET max_parallel_workers_per_gather = 0;'
            # work_mem: enough for the SQL queries to sort in memory.
            time_statements <<END
SET work_mem = '512MB';
$settings
$scan
-- time scan.$suffix
$scan
-- time verify.$suffix
$verify
-- time links.$suffix
$(clean "$links")
-- time events.$suffix
$(clean "$events")
END
        done
    done
    note "$(ask "SELECT count(*) || ' entries in ' || count(DISTINCT lane) || ' lanes, ' || pg_size_pretty(pg_table_size('auditspine.audit_chain')) FROM auditspine.audit_chain")"

    local entries
    entries=$(thousands "$ENTRIES")
    compare cost "verify_chain, $entries entries: plain scan, one process" scan.one_process verify.one_process ms 4
    compare faster "verify_chain: SQL, links only, one process" links.one_process verify.one_process ms 3
    compare faster "verify_chain: SQL, events and links, one process" events.one_process verify.one_process ms 3
    compare cost "verify_chain: plain scan, parallel as by default" scan.default verify.default ms 4
    compare faster "verify_chain: SQL, links only, parallel as by default" links.default verify.default ms 3
    compare faster "verify_chain: SQL, events and links, as by default" events.default verify.default ms 3
    compare cost "verify_chain, peak memory: a tenth of the entries" verify.memory.tenth verify.memory.whole kB 1.2
}
