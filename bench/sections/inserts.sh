# Transactions of one INSERT each, at 1, 8 and 32 clients; and what becomes of the chains.
# shellcheck shell=bash
. "$BENCH/pgbench/run.sh"

# The number of links that do not follow the one before, in variant $1's chain.
broken_links() {
    case $1 in
        auditspine*) ask "SELECT count(*) FROM (SELECT prev_hash, lag(chain_hash) OVER (PARTITION BY chain_id, lane ORDER BY pos) AS before
                          FROM auditspine.audit_chain) s WHERE prev_hash <> before" ;;
        *) ask "SELECT count(*) FROM (SELECT prev_hash, lag(chain_hash) OVER (ORDER BY seq) AS before FROM $1_chain) s WHERE prev_hash <> before" ;;
    esac
}

insert_run() {
    local variant=$1 clients=$2
    fresh "$variant"
    run_pgbench "insert.$variant.$clients" "$clients" insert.sql -T "$DURATION"
    case $variant in
        auditspine*) expect "entries of $variant" "$(ask "SELECT count(*) FROM auditspine.audit_chain WHERE op <> 'S'")" "$(ask 'SELECT count(*) FROM finding')" ;;
    esac
}

run_inserts() {
    local round clients variant links=() rows
    for round in $(seq "$ROUNDS"); do
        note "inserts: round $round of $ROUNDS"
        for clients in 1 8 32; do
            for variant in $(rotated "$round" unaudited auditspine plpgsql $([ "$clients" != 8 ] || echo auditspine_one_lane)); do
                insert_run "$variant" "$clients"
                [ "$clients.$round" = "32.$ROUNDS" ] && [ "$variant" != unaudited ] || continue
                links+=("$variant $(broken_links "$variant") $(ask 'SELECT count(*) FROM finding')")
            done
        done
    done
    insert_run textbook 32
    links+=("textbook $(broken_links textbook) $(ask 'SELECT count(*) FROM finding')")

    local unaudited="unaudited"
    compare rate "INSERT, 1 client: $unaudited" insert.unaudited.1 insert.auditspine.1 /s 0.85
    compare rate "INSERT, 8 clients: $unaudited" insert.unaudited.8 insert.auditspine.8 /s 0.80
    compare rate "INSERT, 32 clients: $unaudited" insert.unaudited.32 insert.auditspine.32 /s 0.70
    compare rate "INSERT, 1 client: PL/pgSQL" insert.plpgsql.1 insert.auditspine.1 /s
    compare rate "INSERT, 8 clients: PL/pgSQL" insert.plpgsql.8 insert.auditspine.8 /s
    compare rate "INSERT, 32 clients: PL/pgSQL" insert.plpgsql.32 insert.auditspine.32 /s 5
    compare rate "INSERT, 8 clients, one lane: $unaudited" insert.unaudited.8 insert.auditspine_one_lane.8 /s
    compare rate "INSERT, 8 clients, one lane: PL/pgSQL" insert.plpgsql.8 insert.auditspine_one_lane.8 /s
    local ours theirs
    ours=$(printf '%s\n' "${links[@]}" | awk '$1 == "auditspine" { print $2 " of " $3 }')
    for variant in plpgsql textbook; do
        theirs=$(printf '%s\n' "${links[@]}" | awk -v v=$variant '$1 == v { print $2 " of " $3 }')
        fact "broken links after INSERTs, 32 clients: $variant" "$theirs" "$ours"
    done
}
