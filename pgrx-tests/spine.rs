//! Spine roots.

#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use crate::tests::{fails, holds, run};

    const SEGMENTS: &str = "(VALUES (2, 'sha256:' || repeat('b1', 32)), (1, repeat('0a', 32)), \
                            (3, repeat('ff', 32))) AS segment(idx, result_hash)";

    #[pg_test]
    fn aggregate_and_function_are_the_documented_digest() {
        let documented = "encode(sha256(string_agg(result_hash, '' ORDER BY idx)::bytea), 'hex')";
        holds(&format!(
            "SELECT spine_root_hash(result_hash ORDER BY idx) = {documented} FROM {SEGMENTS}"
        ));
        holds(&format!(
            "SELECT spine_root_hash(array_agg(result_hash ORDER BY idx)) = {documented} \
             FROM {SEGMENTS}"
        ));
        holds(&format!(
            "SELECT spine_root_hash(result_hash ORDER BY idx DESC) <> {documented} FROM {SEGMENTS}"
        ));
    }

    #[pg_test]
    fn nothing_has_no_root() {
        holds("SELECT spine_root_hash(ARRAY[]::text[]) IS NULL");
        holds("SELECT spine_root_hash(NULL::text[]) IS NULL");
        holds(&format!(
            "SELECT spine_root_hash(result_hash) IS NULL FROM {SEGMENTS} WHERE false"
        ));
    }

    #[pg_test]
    fn groups_and_windows_have_roots_of_their_own() {
        holds(&format!(
            "SELECT array_agg(root ORDER BY idx) = ARRAY[encode(sha256(repeat('0a', 32)::bytea), 'hex'), \
                 encode(sha256((repeat('0a', 32) || 'sha256:' || repeat('b1', 32))::bytea), 'hex'), \
                 (SELECT spine_root_hash(result_hash ORDER BY idx) FROM {SEGMENTS})] \
             FROM (SELECT idx, spine_root_hash(result_hash) OVER (ORDER BY idx) AS root FROM {SEGMENTS}) w"
        ));
        run("CREATE TABLE segment AS SELECT n % 7 AS spine, n AS idx, \
             encode(sha256(n::text::bytea), 'hex') AS result_hash FROM generate_series(1, 500) n");
        holds(
            "SELECT count(*) = 7 AND bool_and(a = b) FROM ( \
               SELECT spine_root_hash(result_hash ORDER BY idx) AS a, \
                   encode(sha256(string_agg(result_hash, '' ORDER BY idx)::bytea), 'hex') AS b \
               FROM segment GROUP BY spine) g",
        );
    }

    #[pg_test]
    fn bad_elements_are_named() {
        let good = "repeat('0a', 32)";
        let with = |bad: &str| format!("SELECT spine_root_hash(ARRAY[{good}, {bad}])");
        fails(&with("NULL"), "22004", "element 2");
        fails(
            &with("'sha256:'"),
            "22023",
            "element 2 of the spine is not a SHA-256 digest: \"sha256:\"",
        );
        fails(&with("repeat('0A', 32)"), "22023", &"0A".repeat(32));
        fails(&with("'sha512:' || repeat('0a', 32)"), "22023", "sha512:");
        fails(&with("repeat('0a', 32) || E'\\n'"), "22023", "element 2");
        fails(
            &format!("SELECT spine_root_hash(ARRAY[[{good}], [{good}]])"),
            "22023",
            "2 dimensions",
        );
        fails("SELECT spine_root_hash(NULL::text)", "22004", "element 1");
        fails(
            "SELECT spine_root_hash(h ORDER BY i) FROM (VALUES (1, repeat('0a', 32)), (2, 'x')) v(i, h)",
            "22023",
            "element 2 of the spine is not a SHA-256 digest: \"x\"",
        );
    }

    #[pg_test]
    fn an_error_does_not_repeat_a_long_element() {
        let [_, message, _] = crate::tests::failure("SELECT spine_root_hash(repeat('x', 1000000))");
        assert!(message.len() < 300, "{} bytes", message.len());
    }
}
