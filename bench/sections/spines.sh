# Spines of six signed segments each: verify_spines() against checking as many signatures in core and nothing else.
# shellcheck shell=bash

# Signatures per second of one thread that does nothing else.
signatures_alone() {
    cargo run -q --release --manifest-path "$ROOT/Cargo.toml" -p auditspine-core --example signatures |
        sed -n 's/^ed25519 signature alone: \([0-9.]*\) per second.*/\1/p'
}

run_spines() {
    local round settings suffix took spines=$((ENTRIES / 100)) segments
    local verify="SELECT 1 / bool_and(ok)::int FROM verify_spines(schema => 'bench_spines');"
    segments=$((spines * 6))

    fresh auditspine
    note "spines: signing $(thousands "$segments") segments"
    cargo build -q --release --manifest-path "$ROOT/Cargo.toml" -p auditspine-core --example sign --example signatures
    sql -At -v spines="$spines" -f "$BENCH/sql/spine_payloads.sql" |
        cargo run -q --release --manifest-path "$ROOT/Cargo.toml" -p auditspine-core --example sign -- ed25519 bench >"$OUT/envelopes.jsonl"
    sql -c 'DROP SCHEMA IF EXISTS bench_spines CASCADE' -c 'CREATE TABLE envelope (number bigint GENERATED ALWAYS AS IDENTITY (MINVALUE 0 START 0), doc jsonb)' \
        -c "\\copy envelope (doc) FROM '$OUT/envelopes.jsonl' WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')"
    note "spines: building $(thousands "$spines")"
    sql -v pem="$(cargo run -q --release --manifest-path "$ROOT/Cargo.toml" -p auditspine-core --example sign -- --key ed25519 bench)" \
        -f "$BENCH/sql/spines.sql"
    expect "spines" "$(ask 'SELECT count(*) FROM bench_spines.proof_spines WHERE segment_count = 6')" "$spines"

    for round in $(seq "$ROUNDS"); do
        note "spines: round $round of $ROUNDS"
        sample spines.signatures "$(signatures_alone)"
        for suffix in one_process default; do
            [ $suffix = default ] && settings= || settings='SET max_parallel_workers_per_gather = 0;'
            time_statements <<END
$settings
-- time spines.ms.$suffix
$verify
END
            took=$(samples spines.ms.$suffix | tail -n 1)
            sample spines.rate.$suffix "$(awk -v n="$segments" -v ms="$took" 'BEGIN { print n * 1000 / ms }')"
        done
    done
    compare rate "verify_spines, $(thousands "$spines") spines, segments: signatures alone, one process" spines.signatures spines.rate.one_process /s 0.7
    compare rate "verify_spines, the same: signatures alone in one thread, parallel as by default" spines.signatures spines.rate.default /s 0.7
    rm -f "$OUT/envelopes.jsonl"
}
