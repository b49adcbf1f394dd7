# load_epss() of the blueprint findings: a day on which every score changes, and one on which a hundredth does; and the
# latter written by an upsert that overwrites every row. The baseline is the same blueprint, its scores not audited.
# shellcheck shell=bash

# epss_run AUDITED NAME STATEMENT CHANGED: runs it on a first day's scores, for a sample $2.audited or $2.unaudited.
epss_run() {
    local audited=$1 name=$2 statement=$3 changed=$4 variant=unaudited last
    [ "$audited" = false ] || variant=audited
    fresh auditspine
    sql -v audited="$audited" -v rows="$EPSS_ROWS" -v changing="$((EPSS_ROWS / 100))" -f "$BENCH/sql/epss.sql"
    last=$(ask 'SELECT max(seq) FROM auditspine.audit_chain')
    time_statements <<END
-- Warms the caches alike for all.
SELECT sum(cardinality(rows)) FROM bench_findings.file;
-- time $name.$variant
$statement
END
    expect "rows that differ from the first day's, $name" "$(ask "SELECT count(*) FROM bench_findings.epss_data AS d
        JOIN bench_findings.file, unnest(rows) AS r ON file.name = 'first' AND r.cve_id = d.cve_id
        WHERE (d.probability, d.percentile) <> (r.probability, r.percentile)")" "$changed"
    [ "$audited" = true ] || changed=0
    expect "entries of $name, $variant" "$(ask "SELECT count(*) FROM auditspine.audit_chain
        WHERE seq > $last AND event_kind = 'bench_findings.epss_data' AND op = 'U'")" "$changed"
}

run_epss() {
    local round audited name rows few changed
    EPSS_ROWS=250000
    [ -z "${BENCH_QUICK:-}" ] || EPSS_ROWS=20000
    few=$((EPSS_ROWS / 100))
    local load="SELECT bench_findings.load_epss('2026-01-02', rows) FROM bench_findings.file WHERE name ="
    local -A statements=(
        [epss.all]="$load 'all';"
        [epss.few]="$load 'few';"
        [epss.upsert]="INSERT INTO bench_findings.epss_data SELECT r.* FROM bench_findings.file, unnest(rows) AS r WHERE name = 'few' ON CONFLICT (cve_id) DO UPDATE SET probability = excluded.probability, percentile = excluded.percentile;"
    )
    # Makes the WAL files that all later runs reuse.
    SAMPLES=/dev/null epss_run true warm_up "${statements[epss.all]}" "$EPSS_ROWS"
    for round in $(seq "$ROUNDS"); do
        note "epss: round $round of $ROUNDS"
        for name in epss.all epss.few epss.upsert; do
            changed=$few
            [ $name != epss.all ] || changed=$EPSS_ROWS
            for audited in $(rotated "$round" false true); do
                epss_run "$audited" "$name" "${statements[$name]}" "$changed"
            done
        done
    done
    rows=$(thousands "$EPSS_ROWS")
    compare cost "load_epss, $rows rows, all of them changed: unaudited" epss.all.unaudited epss.all.audited ms 2.5
    compare cost "load_epss, $rows rows, 1 % of them changed: unaudited" epss.few.unaudited epss.few.audited ms 1.3
    compare cost "upsert of $rows rows, 1 % of them changed: unaudited" epss.upsert.unaudited epss.upsert.audited ms 1.3
}
