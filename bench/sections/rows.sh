# Holding the rows of a table against their entries, against hashing them and no more.
# shellcheck shell=bash

run_rows() {
    local round settings suffix
    local hash='SELECT count(canonical_row_hash(t)) FROM finding t;'
    local verify="SELECT 1 / ok::int FROM verify_table('finding');"

    fresh auditspine
    sql -f "$BENCH/sql/fill.sql"
    note "rows: writing $(thousands $((ENTRIES / 10))) rows"
    fill_rows $((ENTRIES / 10))
    for round in $(seq "$ROUNDS"); do sample rows.memory.tenth "$(peak_memory "$verify")"; done
    note "rows: writing $(thousands "$ENTRIES") rows"
    fill_rows $((ENTRIES - ENTRIES / 10))
    expect "rows" "$(ask "SELECT rows || ' ' || entries FROM verify_table('finding')")" "$ENTRIES $ENTRIES"
    for round in $(seq "$ROUNDS"); do sample rows.memory.whole "$(peak_memory "$verify")"; done

    for round in $(seq "$ROUNDS"); do
        note "rows: round $round of $ROUNDS"
        for suffix in one_process default; do
            [ $suffix = default ] && settings= || settings='SET max_parallel_workers_per_gather = 0;'
            time_statements <<END
$settings
$hash
-- time hash.$suffix
$hash
-- time rows.$suffix
$verify
END
        done
    done

    local rows
    rows=$(thousands "$ENTRIES")
    compare cost "verify_table, $rows rows: canonical_row_hash of all, one process" hash.one_process rows.one_process ms 3
    compare cost "verify_table, $rows rows: canonical_row_hash, parallel as by default" hash.default rows.default ms 3
    compare cost "verify_table, peak memory: a tenth of the rows" rows.memory.tenth rows.memory.whole kB 1.2
}

# Adds $1 rows, and hint bits and statistics, so that no reader pays for being the first.
fill_rows() {
    sql -c 'SET synchronous_commit = off' -c "CALL fill($1, 10000)"
    sql -c 'VACUUM (ANALYZE) finding' -c 'VACUUM (ANALYZE) auditspine.audit_chain' -c CHECKPOINT
}
