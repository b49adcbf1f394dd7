# Sourced by the stages: how a stage counts what it ran.
# shellcheck shell=bash
#
# The contract with scripts/test: the last line a stage prints is `NAME: N passed, N failed, N skipped`, and it
# exits non-zero if something failed.
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
STAGE=$(basename "$0")

# Prints the closing line and ends the stage.
finish() {
    printf '%s: %d passed, %d failed, %d skipped\n' "$STAGE" "$1" "$2" "$3"
    [ "$2" -eq 0 ]
    exit
}

# Runs a cargo command that runs tests, and ends the stage with the sum of its "test result" lines. A test that
# cannot run here says so on a line beginning `skipped:`; such a line turns its pass into a skip.
finish_cargo() {
    local output=$TARGET/test-output/$STAGE.cargo status=0 passed failed ignored skipped
    mkdir -p "$(dirname "$output")"
    # Without the second list of the passed tests, which `--show-output` prints.
    "$@" 2>&1 | tee "$output" | sed -E '/^successes:$/d; /^    [A-Za-z0-9_:]+$/d' || status=$?
    read -r passed failed ignored skipped < <(awk '
        /^test result: / { passed += $4; failed += $6; ignored += $8 }
        /^skipped:/ { skipped++ }
        END { print passed + 0, failed + 0, ignored + 0, skipped + 0 }' "$output")
    # What failed before a test could run (a build, a doc test's compilation) must count too.
    if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
    finish $((passed - skipped)) "$failed" $((ignored + skipped))
}
