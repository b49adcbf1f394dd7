# One statement that adds many ready-made rows: INSERT … SELECT, and COPY from a file on the server.
# shellcheck shell=bash

bulk_run() {
    local variant=$1 name=$2 statement=$3 lsn
    fresh "$variant"
    lsn=$(ask 'SELECT pg_current_wal_insert_lsn()')
    time_statements <<END
-- Warms the caches alike for INSERT and COPY.
SELECT count(*) FROM ready_rows;
-- time $name.$variant
$statement
END
    sample "wal.$name.$variant" "$(ask "SELECT ((pg_current_wal_insert_lsn() - '$lsn') / $ROWS)::int")"
    expect "rows of $name" "$(ask 'SELECT count(*) FROM finding')" "$ROWS"
}

run_bulk() {
    local round variant name file rows
    file=$(ask "SELECT current_setting('data_directory') || '/bench-rows.copy'")
    sql -c "COPY ready_rows TO '$file'"
    local -A statements=(
        [bulk_insert]='INSERT INTO finding SELECT * FROM ready_rows;'
        [bulk_copy]="COPY finding FROM '$file';"
    )
    # Makes the WAL files that all later runs reuse.
    SAMPLES=/dev/null bulk_run auditspine warm_up "${statements[bulk_insert]}"
    for round in $(seq "$ROUNDS"); do
        note "bulk: round $round of $ROUNDS"
        for name in bulk_insert bulk_copy; do
            for variant in $(rotated "$round" unaudited auditspine plpgsql); do
                bulk_run "$variant" "$name" "${statements[$name]}"
            done
        done
    done
    rows=$(thousands "$ROWS")
    compare cost "INSERT … SELECT, $rows rows: unaudited" bulk_insert.unaudited bulk_insert.auditspine ms 2.3
    compare faster "INSERT … SELECT, $rows rows: PL/pgSQL" bulk_insert.plpgsql bulk_insert.auditspine ms 4
    compare cost "COPY, $rows rows: unaudited" bulk_copy.unaudited bulk_copy.auditspine ms 2.3
    compare faster "COPY, $rows rows: PL/pgSQL" bulk_copy.plpgsql bulk_copy.auditspine ms 4
    compare cost "WAL per row, INSERT … SELECT: unaudited" wal.bulk_insert.unaudited wal.bulk_insert.auditspine B
    compare cost "WAL per row, INSERT … SELECT: PL/pgSQL" wal.bulk_insert.plpgsql wal.bulk_insert.auditspine B
}
