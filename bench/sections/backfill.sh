# Recording rows that are there already: audit_backfill() in batches of 10,000, against an INSERT … SELECT of the same
# rows with the trigger; and a second run, which finds them recorded.
# shellcheck shell=bash

backfill_bulk() {
    fresh auditspine
    time_statements <<END
SELECT count(*) FROM ready_rows;
-- time backfill_bulk
INSERT INTO finding SELECT * FROM ready_rows;
END
    expect "entries of the bulk append" "$(ask "SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'finding'")" "$ROWS"
}

backfill_run() {
    local lsn
    fresh unaudited "$ROWS"
    sql -f "$BENCH/variants/auditspine.sql" -c 'CHECKPOINT'
    lsn=$(ask 'SELECT pg_current_wal_insert_lsn()')
    time_statements <<END
SELECT count(*) FROM finding;
-- time backfill
CALL audit_backfill('finding');
END
    sample backfill_wal "$(ask "SELECT ((pg_current_wal_insert_lsn() - '$lsn') / $ROWS)::int")"
    expect "entries of the backfill" "$(ask "SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'finding'")" "$ROWS"
    time_statements <<END
-- time backfill_again
CALL audit_backfill('finding');
END
    expect "entries after a second backfill" "$(ask "SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'finding'")" "$ROWS"
    expect "findings" "$(ask "SELECT findings FROM verify_table('finding')")" 0
}

run_backfill() {
    local round rows
    # Makes the WAL files that all later runs reuse.
    SAMPLES=/dev/null backfill_bulk
    for round in $(seq "$ROUNDS"); do
        note "backfill: round $round of $ROUNDS"
        if ((round % 2)); then
            backfill_bulk
            backfill_run
        else
            backfill_run
            backfill_bulk
        fi
    done
    rows=$(thousands "$ROWS")
    compare faster "audit_backfill(), $rows rows: INSERT … SELECT with the trigger" backfill_bulk backfill ms 0.5
    compare faster "audit_backfill() again, all recorded: INSERT … SELECT" backfill_bulk backfill_again ms
    fact "WAL per row, audit_backfill()" "" "$(figure backfill_wal B)"
}
