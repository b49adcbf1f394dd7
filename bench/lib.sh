# Sourced by bench/run: the server under test, samples and medians, the table of results.
# shellcheck shell=bash

OUT=$ROOT/target/bench
SAMPLES=$OUT/samples.tsv # name, value: one line a repetition
TABLE=$OUT/table.tsv     # section, what, baseline, auditspine, ratio, target, verdict

export PGDATABASE=bench PGOPTIONS="-c client_min_messages=warning"

sql() { "$AUDITSPINE_PGBIN/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
ask() { sql -At -c "$1"; }
thousands() { LC_ALL=C printf '%.0f\n' "$1" | sed ':again; s/^\([0-9]*[0-9]\)\([0-9]\{3\}\)/\1,\2/; t again'; }

# ---- server ----

# Settings that matter for the figures; the rest is PostgreSQL's default.
configure_server() {
    local kib setting
    kib=$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)
    local shared=$((kib / 4 / 1024))
    [ "$shared" -le 2048 ] || shared=2048
    # Every table fits into shared buffers; no checkpoint, autovacuum or new WAL file falls into a run by chance.
    for setting in "shared_buffers = '${shared}MB'" "max_wal_size = '16GB'" "min_wal_size = '2GB'" \
        "checkpoint_timeout = '1h'" "autovacuum = off" "max_connections = 100" "synchronous_commit = on" "fsync = on" \
        "full_page_writes = on" "jit = off" "log_min_messages = fatal"; do
        sql -d postgres -c "ALTER SYSTEM SET $setting"
    done
    "$AUDITSPINE_PGCTL" restart "$(basename "$PGHOST")"
}

prepare_database() {
    sql -d postgres -c 'DROP DATABASE IF EXISTS bench' -c 'CREATE DATABASE bench'
    sql -d postgres -c 'ALTER DATABASE bench SET search_path = bench, public'
    sql -v rows="$ROWS" -f "$BENCH/sql/prepare.sql"
}

# Makes the empty table, or with a second argument one of that many rows, and its trigger: variant $1.
fresh() {
    sql -f "$BENCH/sql/fresh.sql"
    [ -z "${2:-}" ] || sql -c "INSERT INTO finding SELECT * FROM ready_rows LIMIT $2" -c 'VACUUM (ANALYZE) finding'
    sql -f "$BENCH/variants/$1.sql" -c 'CHECKPOINT'
}

# Eight sessions add $1 entries, in transactions of up to 500.
fill_chain() {
    local session pids=() each=$(($1 / 8))
    for session in 1 2 3 4 5 6 7 8; do
        sql -c 'SET synchronous_commit = off' -c "CALL fill($each, 500)" &
        pids+=($!)
    done
    for session in "${pids[@]}"; do wait "$session"; done
    # Hint bits and statistics, so that no reader pays for being the first.
    sql -c 'VACUUM (ANALYZE) auditspine.audit_chain' -c CHECKPOINT
}

# The arguments after the first, rotated by it, so that no variant always runs after the same other one.
rotated() {
    local by=$1
    shift
    by=$((by % $#))
    printf '%s\n' "${@:by+1}" "${@:1:by}"
}

expect() { [ "$2" = "$3" ] || die "$1: $2, but $3 were expected"; }

# ---- samples ----

sample() { printf '%s\t%s\n' "$1" "$2" >>"$SAMPLES"; }
samples() { awk -F'\t' -v name="$1" '$1 == name { print $2 }' "$SAMPLES"; }
median() {
    samples "$1" | sort -g | awk '{ v[NR] = $1 } END { if (!NR) exit 1; print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# Runs `psql` on the script in standard input; each statement that follows a line `-- time NAME` becomes a sample in
# milliseconds. Such a statement stands on one line; its result is dropped, its errors end the run.
time_statements() {
    sed 's/^-- time \(.*\)$/\\timing on\n\\echo =\1/' |
        sql -At | awk -F'[= ]' '/^=/ { name = $2 } /^Time: / && name != "" { print name "\t" $2; name = "" }' >>"$SAMPLES"
}

# Most anonymous memory (kB) that a backend has while it runs statement $1, asked for all the time.
peak_memory() {
    local pid key value rest peak=0 reader
    rm -f "$OUT/backend"
    sql -At -c 'SELECT pg_backend_pid()' -c "$1" -c "$1" -c "$1" >"$OUT/backend" &
    reader=$!
    until read -r pid 2>/dev/null <"$OUT/backend"; do kill -0 $reader || die "no backend to watch"; done
    while while read -r key value rest; do
        if [ "$key" = RssAnon: ] && [ "$value" -gt "$peak" ]; then peak=$value; fi
    done 2>/dev/null <"/proc/$pid/status"; do :; done 2>/dev/null
    wait $reader
    rm -f "$OUT/backend"
    echo "$peak"
}

# ---- results ----

start_results() {
    mkdir -p "$OUT"
    : >"$SAMPLES"
    : >"$TABLE"
    : >"$OUT/results.md"
}

# A figure with its unit: "12,345 /s" or "123 ms".
figure() {
    local value
    value=$(median "$1")
    if [ "$2" = ms ] && LC_ALL=C awk -v v="$value" 'BEGIN { exit !(v < 100) }'; then
        LC_ALL=C printf '%.1f ms\n' "$value"
    else
        printf '%s %s\n' "$(thousands "$value")" "$2"
    fi
}

row() { (IFS=$'\t' && printf '%s\n' "$*") >>"$TABLE"; }

# compare MODE WHAT BASELINE OURS UNIT [TARGET]: adds a line of the table. MODE says what the ratio is, and whether
# the target is a minimum or a maximum:
#   rate    ours / baseline, at least      (transactions per second)
#   faster  baseline / ours, at least      (milliseconds)
#   cost    ours / baseline, at most       (milliseconds, kB)
# The ratio is that of the medians; in brackets the least and greatest of the single rounds.
compare() {
    local mode=$1 what=$2 base=$3 ours=$4 unit=$5 target=${6:-}
    local base_figure our_figure ratios ratio verdict=
    base_figure=$(figure "$base" "$unit") our_figure=$(figure "$ours" "$unit")
    ratios=$(paste <(samples "$base") <(samples "$ours") | awk -v mode="$mode" -v b="$(median "$base")" -v o="$(median "$ours")" '
        function ratio(b, o) { return mode == "faster" ? b / o : o / b }
        NF == 2 { r = ratio($1, $2); if (NR == 1 || r < lo) lo = r; if (NR == 1 || r > hi) hi = r }
        END { printf "%.2f %.2f-%.2f\n", ratio(b, o), lo, hi }')
    ratio=${ratios% *}
    if [ -n "$target" ]; then
        verdict=$(awk -v r="$ratio" -v t="$target" -v mode="$mode" 'BEGIN {
            print (mode == "cost" ? r <= t : r >= t) ? "met" : sprintf("NOT MET (%.0f %% short)", 100 * (mode == "cost" ? r / t - 1 : 1 - r / t)) }')
        [ "$mode" = cost ] && target="≤ $target" || target="≥ $target"
    fi
    row "$section" "$what" "$base_figure" "$our_figure" "$ratio (${ratios#* })" "$target" "$verdict"
}

# A line of the table without a ratio.
fact() { row "$section" "$1" "$2" "$3" "" "${4:-}" "${5:-}"; }

print_rows() {
    say "Results: $1"
    awk -F'\t' -v section="$1" '
        BEGIN { printf "    %-72s %12s %12s  %-19s %-7s %s\n", "what", "baseline", "auditspine", "ratio (rounds)", "target", "" }
        $1 == section { printf "    %-72s %12s %12s  %-19s %-7s %s\n", $2, $3, $4, $5, $6, $7 }' "$TABLE"
}

finish_results() {
    local missed
    {
        printf '\n| what | baseline | auditspine | ratio (least-greatest of the rounds) | target | |\n|---|---|---|---|---|---|\n'
        awk -F'\t' '{ printf "| %s | %s | %s | %s | %s | %s |\n", $2, $3, $4, $5, $6, $7 }' "$TABLE"
    } >>"$OUT/results.md"
    missed=$(awk -F'\t' '$7 ~ /^NOT MET/ { print "    " $2 ": " $5 ", target " $6 }' "$TABLE")
    if [ -n "$missed" ]; then
        say "$(wc -l <<<"$missed") TARGETS NOT MET"
        printf '%s\n' "$missed"
    else
        say "All targets of the sections that ran are met"
    fi
    note "table: $OUT/results.md; single repetitions: $SAMPLES"
}

print_conditions() {
    local cpu
    cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    cat <<END
Conditions: ${cpu:-unknown CPU}, $(nproc) cores, $(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo), $(uname -sr), data on $(df --output=fstype "$(dirname "$PGHOST")" | tail -n 1).
$(ask 'SELECT split_part(version(), $$ on $$, 1)'); auditspine $(git -C "$ROOT" describe --always --dirty 2>/dev/null), release build; pgcrypto $(ask "SELECT extversion FROM pg_extension WHERE extname = 'pgcrypto'").
Load average before: $(cut -d' ' -f1-3 /proc/loadavg). Repetitions: $ROUNDS, baseline and candidate in turn; $DURATION s each for pgbench (-M prepared, one statement per transaction).
$(ask "SELECT 'Settings: ' || string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name) FROM pg_settings WHERE name = ANY ('{fsync,synchronous_commit,full_page_writes,wal_sync_method,wal_level,wal_compression,shared_buffers,max_wal_size,checkpoint_timeout,autovacuum,jit,work_mem,max_parallel_workers_per_gather,commit_delay,data_checksums}')").
END
}
