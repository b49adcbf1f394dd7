# Sourced by the stages regress and isolation.
# shellcheck shell=bash
#
# Every file runs in a database of its own that has the extension (in schema public) and nothing else, so that
# no result depends on which files ran before.

# run_regress PROGRAM INPUT_DIR FOLDER EXTENSION [NAME ...]: runs PROGRAM of PostgreSQL's test tools on each
# INPUT_DIR/FOLDER/NAME.EXTENSION (default: all there are), prints the difference where one fails, and ends the stage.
run_regress() {
    local program=$1 input=$2 folder=$3 extension=$4 name path passed=0 failed=0
    shift 4
    use_tree dev
    path=$(dirname "$("$TREE_PG_CONFIG" --pgxs)")/../test/$program
    if [ $# -eq 0 ]; then
        shopt -s nullglob
        set -- "$input/$folder"/*."$extension"
        set -- "${@##*/}"
        set -- "${@%."$extension"}"
    fi
    mkdir -p "$TARGET/test-output"
    for name in "$@"; do
        local output=$TARGET/test-output/$STAGE/$name started=$EPOCHSECONDS
        rm -rf "$output"
        mkdir -p "$output"
        fresh_database "auditspine_$STAGE"
        if "$path" --use-existing --dbname="auditspine_$STAGE" --bindir="$AUDITSPINE_PGBIN" --host="$PGHOST" \
            --port="$PGPORT" --user="$PGUSER" --inputdir="$input" --outputdir="$output" "$name" >"$output/log" 2>&1; then
            passed=$((passed + 1))
            printf 'test %s ... ok (%d s)\n' "$name" $((EPOCHSECONDS - started))
        else
            failed=$((failed + 1))
            printf 'test %s ... FAILED\n' "$name"
            if [ -s "$output/regression.diffs" ]; then
                cat "$output/regression.diffs"
            else
                cat "$output/log" "$output/results"/* 2>/dev/null
            fi
        fi
    done
    finish "$passed" "$failed" 0
}

# Makes database $1 anew, with the extension in it.
fresh_database() {
    "$AUDITSPINE_PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -d postgres <<SQL
SET client_min_messages = warning;
DROP DATABASE IF EXISTS $1 WITH (FORCE);
CREATE DATABASE $1 TEMPLATE template0;
\connect $1
CREATE EXTENSION auditspine;
SQL
}
