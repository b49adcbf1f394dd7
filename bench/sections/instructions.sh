# Instructions and modelled cache misses of one-row transactions, counted by callgrind in a backend of its own: the
# same on any machine, under any load. It has no SHA-NI, so hashes count for more than they cost.
# shellcheck shell=bash

# The cache that is modelled: 32 KiB each for code and data, and 256 KiB behind them, where any line may lie in a quarter
# of all places. With the few places for a line that processors have, figures would tell what happens to share a place,
# which is another matter in each folder; in a cache that holds nearly all that a transaction needs, they told nothing else.
CACHE="--cache-sim=yes --I1=32768,8,64 --D1=32768,8,64 --LL=262144,1024,64"

# What other sections make of the memory that the machine has.
MEMORY="-c shared_buffers=128MB"

# Prints instructions and misses of the second cache of $2 transactions of kind $1 that begin at row $3.
count_transactions() {
    local statement
    case $1 in
        insert) statement="INSERT INTO bench.finding (id, scan_id, severity, title, score) VALUES (10000 + i, i, 'high', 'finding ' || i, 7.5)" ;;
        update) statement="UPDATE bench.finding SET score = 1 + i % 9 WHERE id = i" ;;
        delete) statement="DELETE FROM bench.finding WHERE id = i" ;;
    esac
    printf 'DO $$ BEGIN FOR i IN %s..%s LOOP %s; COMMIT; END LOOP; END $$;\n' "$3" "$(($3 + $2 - 1))" "$statement" |
        # shellcheck disable=SC2086 # several words
        same_everywhere "$(command -v valgrind)" --tool=callgrind --callgrind-out-file=/dev/null $CACHE \
            "$AUDITSPINE_PGBIN/postgres" --single -D "$PGHOST/data" $MEMORY bench 2>&1 >/dev/null |
        awk '/Collected :/ { print $4, $10 + $11 + $12 }'
}

# Runs a backend's command so that neither this machine nor the caller has a part in where things lie in its memory, nor
# in the lane that it takes, which follows from its process id.
same_everywhere() {
    # shellcheck disable=SC2016 # for the inner shell
    as_server env -i LC_ALL=C.UTF-8 /bin/bash -c '
        status=99
        while [ $status = 99 ]; do
            status=0
            ([ $((BASHPID % 32)) = 7 ] || exit 99; exec "$@") || status=$?
        done
        exit $status' - "$@"
}

# Prints, for each operation, its name, and instructions and misses of one transaction of variant $1. What one takes is
# what 400 more of them take, so that starting up counts for nothing.
count_variant() {
    local server operation few many
    server=$(basename "$PGHOST")
    fresh "$1" 2000 >&2
    "$AUDITSPINE_PGCTL" stop "$server" >&2
    for operation in insert update delete; do
        note "instructions: $operation, $1" >&2
        read -ra few <<<"$(count_transactions "$operation" 100 1)"
        read -ra many <<<"$(count_transactions "$operation" 500 101)"
        [ "${#few[@]}${#many[@]}" = 22 ] || die "callgrind counted nothing"
        echo "$operation $(((many[0] - few[0]) / 400)) $(((many[1] - few[1]) / 400))"
    done
    "$AUDITSPINE_PGCTL" start "$server" >&2
}

run_instructions() {
    local variant counts operation instructions misses
    command -v valgrind >/dev/null || die "valgrind is missing: apt-get install valgrind"
    for variant in unaudited auditspine; do
        counts=$(count_variant "$variant")
        while read -r operation instructions misses; do
            sample "instructions.$operation.$variant" "$instructions"
            sample "misses.$operation.$variant" "$misses"
        done <<<"$counts"
    done
    for operation in insert update delete; do
        compare cost "instructions of a one-row ${operation^^}" "instructions.$operation.unaudited" "instructions.$operation.auditspine" ""
        compare cost "misses of a 256 KiB cache, one-row ${operation^^}" "misses.$operation.unaudited" "misses.$operation.auditspine" ""
    done
}
