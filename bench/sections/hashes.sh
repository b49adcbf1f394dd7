# Canonical hashes of rows and documents against pgcrypto's digest of PostgreSQL's own text.
# shellcheck shell=bash

run_hashes() {
    local round advisories=$ROOT/../shared/data/osv-advisories.jsonl what
    fresh auditspine
    sql -v rows="$ROWS" -f "$BENCH/sql/hashes.sql"
    if [ -f "$advisories" ]; then
        what="OSV advisories"
        sql -c "\\copy line FROM '$advisories' WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')"
    else
        what="synthetic advisories"
        sql -f "$BENCH/sql/synthetic_advisories.sql"
    fi
    sql -v copies="$([ -n "$quick" ] && echo 1 || echo 20)" -f "$BENCH/sql/advisories.sql"
    for round in $(seq "$ROUNDS"); do
        note "hashes: round $round of $ROUNDS"
        time_statements <<'END'
SET max_parallel_workers_per_gather = 0;
SELECT count(canonical_json_hash(doc)) FROM small_doc;
SELECT count(canonical_json_hash(doc)) FROM advisory;
-- time digest.row
SELECT count(digest(to_jsonb(t)::text, 'sha256')) FROM finding t;
-- time canonical.row
SELECT count(canonical_row_hash(t)) FROM finding t;
-- time digest.doc
SELECT count(digest(to_jsonb(t)::text, 'sha256')) FROM small_doc t;
-- time canonical.doc
SELECT count(canonical_json_hash(doc)) FROM small_doc;
-- time text.doc
SELECT count(digest(doc::text, 'sha256')) FROM small_doc;
-- time digest.advisory_row
SELECT count(digest(to_jsonb(t)::text, 'sha256')) FROM advisory t;
-- time canonical.advisory_row
SELECT count(canonical_row_hash(t)) FROM advisory t;
-- time digest.advisory
SELECT count(digest(to_jsonb(t)::text, 'sha256')) FROM (SELECT doc FROM advisory OFFSET 0) t;
-- time canonical.advisory
SELECT count(canonical_json_hash(doc)) FROM advisory;
-- time text.advisory
SELECT count(digest(doc::text, 'sha256')) FROM advisory;
END
    done
    local count rows
    rows=$(thousands "$ROWS")
    count=$(thousands "$(ask 'SELECT count(*) FROM advisory')")
    note "$count $what, $(ask "SELECT round(avg(length(doc::text))) FROM advisory") characters of JSON each on average"
    compare faster "canonical_row_hash, $rows small rows: digest(to_jsonb(row)::text)" digest.row canonical.row ms 4
    compare faster "canonical_json_hash, $rows small documents: digest(to_jsonb(row)::text)" digest.doc canonical.doc ms 4
    compare faster "canonical_row_hash, $count $what: digest(to_jsonb(row)::text)" digest.advisory_row canonical.advisory_row ms 2
    compare faster "canonical_json_hash, $count $what: digest(to_jsonb(row)::text)" digest.advisory canonical.advisory ms 2
    # The harder baseline: the text of a jsonb value just as PostgreSQL prints it, which is not canonical.
    compare faster "canonical_json_hash, $rows small documents: digest(doc::text)" text.doc canonical.doc ms 4
    compare faster "canonical_json_hash, $count $what: digest(doc::text)" text.advisory canonical.advisory ms 2
}
