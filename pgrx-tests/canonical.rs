//! Canonical JSON of text and of binary jsonb.

#[pgrx::pg_schema]
mod tests {
    use auditspine_core::canonical::{Numbers, canonical_text};
    use pgrx::prelude::*;

    use crate::encoding::jsonb::write_jsonb;
    use crate::pg::sqltypes::JsonbArg;
    use crate::tests::{fails, holds, run, shared, value};

    /// The canonical text of a JSON text, given as an argument of its type.
    fn canonical(json: &str, sql_type: &str) -> String {
        let query = format!("SELECT canonical_json($1::{sql_type})");
        Spi::get_one_with_args(&query, &[json.into()])
            .unwrap()
            .unwrap()
    }

    #[pg_test]
    fn untyped_literal_is_text() {
        assert_eq!(
            value::<String>(r#"SELECT canonical_json('{"b":1,"a":2}')"#),
            r#"{"a":2,"b":1}"#
        );
        holds(r#"SELECT canonical_json_hash('{"b":1,"a":2}') = sha256('{"a":2,"b":1}')"#);
        fails(
            r#"SELECT canonical_json('{"b":1,"b":2}')"#,
            "22030",
            "\"b\"",
        );
        assert_eq!(canonical(r#"{"b":1,"b":2}"#, "jsonb"), r#"{"b":2}"#);
    }

    #[pg_test]
    fn null_is_null() {
        holds(
            "SELECT canonical_json(NULL::text) IS NULL AND canonical_json(NULL::jsonb) IS NULL \
             AND canonical_json_hash(NULL::text) IS NULL AND canonical_json_hash(NULL::jsonb) IS NULL",
        );
    }

    #[pg_test]
    fn every_kind_of_value() {
        for (json, expected) in [
            ("null", "null"),
            ("true", "true"),
            (" false ", "false"),
            ("\"\"", "\"\""),
            ("-0.0", "0"),
            ("[]", "[]"),
            ("{}", "{}"),
            ("[[],{},[{}],\"\"]", "[[],{},[{}],\"\"]"),
            (
                r#"{"":{"":[]},"a":[null,true,false,"x",1]}"#,
                r#"{"":{"":[]},"a":[null,true,false,"x",1]}"#,
            ),
            (
                r#"["\u20ac\u0001\b\t\n\f\r\"\\\/"]"#,
                "[\"\u{20ac}\\u0001\\b\\t\\n\\f\\r\\\"\\\\/\"]",
            ),
            (
                r#"{"b":{"d":1,"c":2},"a":[{"f":3,"e":4}]}"#,
                r#"{"a":[{"e":4,"f":3}],"b":{"c":2,"d":1}}"#,
            ),
        ] {
            assert_eq!(canonical(json, "text"), expected);
            assert_eq!(canonical(json, "jsonb"), expected);
        }
    }

    #[pg_test]
    fn numbers_are_injective_where_doubles_are_not() {
        for (json, expected) in [
            ("1.0", "1"),
            ("1.00", "1"),
            ("100e-2", "1"),
            ("9007199254740992", "9007199254740992"),
            ("9007199254740993", "9007199254740993"),
            ("12345678901234567890", "12345678901234567890"),
            ("0.1", "0.1"),
            ("0.1000000000000000055", "0.1000000000000000055"),
            ("1e21", "1e+21"),
            ("1e-7", "1e-7"),
            ("0.000001", "0.000001"),
            ("-1.5e300", "-1.5e+300"),
            ("123456789.123456789e4", "1234567891234.56789"),
        ] {
            assert_eq!(canonical(json, "text"), expected);
            assert_eq!(canonical(json, "jsonb"), expected);
        }
        let huge = format!("1{}", "0".repeat(400));
        assert_eq!(canonical("1e400", "text"), huge);
        assert_eq!(canonical("1e400", "jsonb"), huge);
        let largest = format!("{}.{}", "9".repeat(131_072), "9".repeat(16_383));
        assert_eq!(canonical(&largest, "jsonb"), largest);
        // A double's digits in text are read as that double; a stored number is what it is.
        assert_eq!(canonical("333333333.33333329", "text"), "333333333.3333333");
        assert_eq!(
            canonical("333333333.33333329", "jsonb"),
            "333333333.33333329"
        );
    }

    #[pg_test]
    fn names_are_in_utf16_order() {
        let json = "{\"\u{fb33}\":1,\"\u{1f602}\":2,\"a\":3,\"\":4,\"\u{e9}\":5,\"aa\":6,\"\u{ffff}x\":7,\
                    \"prefix of eight\":8,\"prefix of eighty\":9,\"prefix \u{1f602}\":10,\"prefix \u{fb33}\":11}";
        let expected = "{\"\":4,\"a\":3,\"aa\":6,\"prefix of eight\":8,\"prefix of eighty\":9,\
                        \"prefix \u{1f602}\":10,\"prefix \u{fb33}\":11,\"\u{e9}\":5,\"\u{1f602}\":2,\
                        \"\u{fb33}\":1,\"\u{ffff}x\":7}";
        assert_eq!(canonical(json, "jsonb"), expected);
        assert_eq!(canonical(json, "text"), expected);
    }

    #[pg_test]
    fn many_members_and_elements() {
        // Past the stride at which jsonb stores offsets instead of lengths.
        run("CREATE TABLE document AS SELECT n, jsonb_build_object( \
                 'object', (SELECT jsonb_object_agg(md5((n * i)::text), i * 1.5) FROM generate_series(0, n) i), \
                 'array', (SELECT jsonb_agg(jsonb_build_array(i, i::text, NULL, i % 2 = 0)) FROM generate_series(0, n) i) \
             ) AS doc FROM unnest(ARRAY[0, 1, 30, 31, 32, 33, 63, 64, 65, 500]) n");
        holds("SELECT bool_and(canonical_json(doc) = canonical_json(doc::text)) FROM document");
        holds(
            "SELECT bool_and(canonical_json_hash(doc) = sha256(convert_to(canonical_json(doc), 'UTF8')) \
                 AND canonical_json_hash(doc::text) = canonical_json_hash(doc)) FROM document",
        );
        holds("SELECT bool_and(canonical_json(doc)::jsonb = doc) FROM document");
    }

    #[pg_test]
    fn objects_with_the_names_of_others() {
        // Names of every length, more sets of them than are kept, and objects within objects that have the same ones,
        // nearly the same ones, or others; each document is written once more when all others were.
        run("CREATE TABLE document AS SELECT n, jsonb_build_object( \
                 repeat('n', n % 70), n, 'a', jsonb_build_object('a', n, repeat('\"', n % 35), jsonb_build_object('a', 1)), \
                 'b' || n % 150, jsonb_build_array(jsonb_build_object('x', 1, 'y', n), jsonb_build_object('x', 1, 'z', n), \
                     jsonb_build_object('x', jsonb_build_object('x', 1, 'y', '{}'::jsonb), 'y', n)) \
             ) AS doc FROM generate_series(0, 3000) n");
        for _ in 0..2 {
            holds("SELECT bool_and(canonical_json(doc) = canonical_json(doc::text)) FROM document");
            holds("SELECT bool_and(canonical_json(doc)::jsonb = doc) FROM document");
            holds(
                "SELECT bool_and(canonical_json_hash(doc) = canonical_json_hash(doc::text)) FROM document",
            );
        }
    }

    #[pg_test]
    fn stored_documents_read_as_fresh_ones() {
        run("CREATE TABLE stored (id int, doc jsonb, body text)");
        run("INSERT INTO stored SELECT n, doc, doc::text FROM ( \
                 SELECT 1 AS n, jsonb_build_object('small', 1) AS doc \
                 UNION ALL SELECT 2, jsonb_build_object('compressed', repeat('abc', 100000)) \
                 UNION ALL SELECT 3, jsonb_agg(md5(i::text)) FROM generate_series(1, 10000) i) d");
        holds(
            "SELECT bool_and(canonical_json(doc) = canonical_json((doc::text)::jsonb) \
                 AND canonical_json(doc) = canonical_json(body) \
                 AND canonical_json_hash(doc) = canonical_json_hash(body)) FROM stored",
        );
        holds("SELECT bool_or(pg_column_size(doc) < length(body) / 10) FROM stored");
    }

    /// Needs ../shared.
    #[pg_test]
    fn published_vectors() {
        let Some(folder) = shared("vectors/jcs") else {
            return;
        };
        let mut seen = 0;
        for file in std::fs::read_dir(folder.join("input")).unwrap() {
            let file = file.unwrap();
            let input = std::fs::read_to_string(file.path()).unwrap();
            let output =
                std::fs::read_to_string(folder.join("output").join(file.file_name())).unwrap();
            assert_eq!(canonical(&input, "text"), output, "{:?}", file.file_name());
            let exact = canonical_text(input.as_bytes(), Numbers::Exact).unwrap();
            assert_eq!(
                canonical(&input, "jsonb").into_bytes(),
                exact,
                "{:?}",
                file.file_name()
            );
            seen += 1;
        }
        assert!(seen >= 6);
    }

    /// Needs ../shared.
    #[pg_test]
    fn published_numbers() {
        let Some(file) = shared("vectors/jcs/es6testfile10000.txt") else {
            return;
        };
        let lines = std::fs::read_to_string(file).unwrap();
        let texts: Vec<&str> = lines
            .lines()
            .map(|line| line.split_once(',').unwrap().1)
            .collect();
        assert_eq!(texts.len(), 10_000);
        let array = format!("[{}]", texts.join(","));
        assert_eq!(canonical(&array, "text"), array);
        assert_eq!(canonical(&array, "jsonb"), array);
    }

    /// Needs ../shared.
    #[pg_test]
    fn text_and_jsonb_agree_on_real_advisories() {
        let Some(file) = shared("data/osv-advisories.jsonl") else {
            return;
        };
        run("CREATE TABLE advisory (doc text)");
        for line in std::fs::read_to_string(file).unwrap().lines() {
            Spi::run_with_args("INSERT INTO advisory VALUES ($1)", &[line.into()]).unwrap();
        }
        holds(
            "SELECT count(*) > 2000 AND bool_and(canonical_json(doc) = canonical_json(doc::jsonb) \
                 AND canonical_json(doc)::jsonb = doc::jsonb \
                 AND canonical_json_hash(doc) = sha256(convert_to(canonical_json(doc), 'UTF8')) \
                 AND canonical_json_hash(doc::jsonb) = canonical_json_hash(doc)) FROM advisory",
        );
    }

    #[pg_test]
    fn failures_have_sqlstates_and_places() {
        for (json, sqlstate, message) in [
            ("", "22032", "at byte offset 0"),
            ("{\"a\":", "22032", "at byte offset 5"),
            ("[1,]", "22032", "at byte offset 3"),
            ("[01]", "22032", "01"),
            ("nul", "22032", "at byte offset"),
            ("1 2", "22032", "at byte offset 2"),
            ("\"\t\"", "22032", "U+0009"),
            ("\"\\ud83d\"", "22032", "\\ud83d"),
            ("\"\\x\"", "22032", "\\x"),
            ("{\"a\":1,\"\\u0061\":2}", "22030", "\"a\""),
            ("[1e131073]", "22003", "1e131073"),
            ("[1e-16384]", "22003", "1e-16384"),
        ] {
            for function in ["canonical_json", "canonical_json_hash"] {
                let literal = json.replace('\\', "\\\\").replace('\t', "\\t");
                fails(
                    &format!("SELECT {function}(E'{literal}')"),
                    sqlstate,
                    message,
                );
            }
        }
    }

    #[pg_test]
    fn depth_costs_no_stack() {
        holds(
            "SELECT canonical_json(repeat('[', 200000) || repeat(']', 200000)) = repeat('[', 200000) || repeat(']', 200000)",
        );
        holds(
            "SELECT canonical_json(repeat('{\"a\":', 200000) || '1' || repeat('}', 200000)) = repeat('{\"a\":', 200000) || '1' || repeat('}', 200000)",
        );
        fails(
            "SELECT canonical_json(repeat('[', 200000))",
            "22032",
            "at byte offset 200000",
        );
        holds(
            "SELECT canonical_json((repeat('[', 5000) || repeat(']', 5000))::jsonb) = repeat('[', 5000) || repeat(']', 5000)",
        );
        holds(
            "SELECT canonical_json((repeat('{\"b\":1,\"a\":', 3000) || '1' || repeat('}', 3000))::jsonb) = repeat('{\"a\":', 3000) || '1' || repeat(',\"b\":1}', 3000)",
        );
    }

    #[pg_test]
    fn a_result_beyond_a_value_is_an_error() {
        // Twelve bytes that are written as 131,072 digits, 9,000 times.
        run(
            "CREATE TABLE large AS SELECT ('[' || rtrim(repeat('1e131071,', 9000), ',') || ']')::jsonb AS doc",
        );
        fails("SELECT canonical_json(doc) FROM large", "54000", "1 GB");
        fails(
            "SELECT canonical_json('[' || rtrim(repeat('1e131071,', 9000), ',') || ']')",
            "54000",
            "1 GB",
        );
        holds("SELECT length(canonical_json_hash(jsonb_build_array(doc -> 0))) = 32 FROM large");
    }

    /// What a damaged jsonb does: every cut, and every byte changed in several ways, either is an
    /// error of its own class or reads as some other document.
    #[pg_extern]
    fn damaged(json: JsonbArg) -> i64 {
        let content = json.0.to_vec();
        let outcome = |bytes: &[u8]| {
            PgTryBuilder::new(|| {
                let mut out = Vec::new();
                write_jsonb(bytes, Numbers::Exact, &mut out);
                0
            })
            .catch_when(PgSqlErrorCode::ERRCODE_DATA_CORRUPTED, |_| 1)
            .execute()
        };
        assert_eq!(outcome(&content), 0);
        let mut refused = 0;
        for len in 0..content.len() {
            refused += outcome(&content[..len]);
        }
        for at in 0..content.len() {
            for change in [0x01, 0x02, 0x10, 0x40, 0x80, 0xff] {
                let mut bytes = content.clone();
                bytes[at] ^= change;
                refused += outcome(&bytes);
            }
        }
        refused
    }

    #[pg_test]
    fn damage_is_told_and_nothing_worse() {
        for json in [
            "{}",
            "[]",
            "\"scalar\"",
            "12.5",
            r#"{"b":[1,2.5,-3e20,{"c":null}],"a":{"d":true,"long name":"value"},"e":[[[]]]}"#,
        ] {
            let refused: i64 =
                Spi::get_one_with_args("SELECT tests.damaged($1::jsonb)", &[json.into()])
                    .unwrap()
                    .unwrap();
            assert!(refused > 0, "{json}");
        }
        // Past the stride at which offsets are stored.
        holds("SELECT tests.damaged(jsonb_agg(n)) > 100 FROM generate_series(1, 70) n");
    }

    #[pg_test]
    fn functions_are_what_indexes_and_parallel_plans_need() {
        holds(
            "SELECT count(*) = 4 AND bool_and(provolatile = 'i' AND proparallel = 's' AND proisstrict) \
             FROM pg_proc WHERE proname IN ('canonical_json', 'canonical_json_hash')",
        );
        run(
            "CREATE TABLE indexed (doc jsonb, hash bytea GENERATED ALWAYS AS (canonical_json_hash(doc)) STORED)",
        );
        run("CREATE INDEX ON indexed (canonical_json_hash(doc))");
        run("INSERT INTO indexed VALUES ('{\"b\":1,\"a\":[]}')");
        holds("SELECT hash = sha256('{\"a\":[],\"b\":1}') FROM indexed");
    }
}
