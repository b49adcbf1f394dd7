# Transactions of one UPDATE or DELETE each, at 8 clients, on a table filled before it was audited.
# shellcheck shell=bash
. "$BENCH/pgbench/run.sh"

run_changes() {
    local round variant clients=8 turns=$((1500 * DURATION))
    # No more rows than there are, for any length of the run.
    [ "$((clients * turns))" -le "$ROWS" ] || turns=$((ROWS / clients))
    for round in $(seq "$ROUNDS"); do
        note "changes: round $round of $ROUNDS"
        for variant in $(rotated "$round" unaudited auditspine); do
            fresh "$variant" "$ROWS"
            run_pgbench "update.$variant" $clients update.sql -T "$DURATION" -D "rows=$ROWS"
        done
        for variant in $(rotated "$round" unaudited auditspine); do
            fresh "$variant" "$((clients * turns))"
            run_pgbench "delete.$variant" $clients delete.sql -t "$turns" -D "turns=$turns" -D turn=0
            expect "rows left after DELETE" "$(ask 'SELECT count(*) FROM finding')" 0
            [ "$variant" = unaudited ] ||
                expect "entries of DELETE" "$(ask "SELECT count(*) FROM auditspine.audit_chain WHERE op <> 'S'")" "$((clients * turns))"
        done
    done
    compare rate "UPDATE, 8 clients: unaudited" update.unaudited update.auditspine /s 0.80
    compare rate "DELETE, 8 clients: unaudited" delete.unaudited delete.auditspine /s 0.80
}
