//! Rows: against `to_jsonb`, against settings, and as their tables change.

#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use crate::tests::{fails, holds, run};

    /// A table with a column of every kind of type, and rows of values, edge values and nulls.
    fn make_wide_table() {
        run("CREATE TYPE mood AS ENUM ('sad', 'ok \"quoted\"');
             CREATE TYPE part AS (a int, \"Z\" text, m mood, nested int[], at timestamptz);
             CREATE DOMAIN positive AS int CHECK (value > 0);
             CREATE DOMAIN short_list AS int[] CHECK (cardinality(value) < 5);
             CREATE DOMAIN some_part AS part;
             CREATE TYPE float_range AS RANGE (SUBTYPE = float8);
             SET LOCAL TimeZone = 'UTC';
             CREATE TABLE wide (
                 id int PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, o oid, f4 float4, f8 float8,
                 n numeric, t text, v varchar(10), bp char(5), nm name, ch \"char\", u uuid, j json,
                 jb jsonb, d date, ts timestamp, tz timestamptz, by bytea, e mood, ia int[], ta text[],
                 na numeric[][], p part, pa part[], dm positive, dl short_list, dp some_part,
                 iv interval, mo money, r int4range, tr tstzrange, dr daterange, fr float_range,
                 mr int4multirange, tm tstzmultirange, pt point, bx box, ln line, pg polygon, ci circle,
                 ph path, sg lseg, rc regclass, rp regprocedure, rt regtype, rr regrole, ip inet,
                 cd cidr, ma macaddr, m8 macaddr8, ti time, tt timetz, bi bit(3), vb varbit, x xid,
                 x8 xid8, ct tid, tv tsvector, tq tsquery, jp jsonpath, xm xml, ls pg_lsn, iva interval[],
                 ov oidvector, iv2 int2vector, tza timestamptz[], ea mood[], ja jsonb[], sn pg_snapshot,
                 bya bytea[], ba bool[], ua uuid[], f8a float8[], rca regclass[], cha \"char\"[], nma name[]
             );
             INSERT INTO wide VALUES (
                 1, true, -32768, 2147483647, -9223372036854775808, 4294967295, 0.1, 0.1,
                 123.4500, E'ta\\u0308\"\\\\\\n\\u0001\\U0001f602', 'vc', 'bp', 'nm', 'c',
                 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"z\": 1.50, \"a\": [1e2, null]}',
                 '{\"zz\": 1, \"a\": [1.50]}', '2020-02-29', '2020-02-29 12:34:56.7891',
                 '2020-02-29 12:34:56.000001+00', '\\xdeadbeef00', 'ok \"quoted\"', '{1,NULL,3}', '[2:3]={a,NULL}',
                 '{{1,2.50},{NaN,Infinity}}', '(1,x,sad,\"{1,NULL}\",\"2020-01-01 00:00+00\")',
                 '{\"(,,,,)\",NULL,\"(2,\\\"a b\\\",,,)\"}', 5, '{1,2}', '(7,,,,)',
                 '-1 year 2 mons -3 days 04:05:06.7', '1234567.89', '[1,5)',
                 '[2020-01-01 00:00+00,2021-01-01 00:00+00)', '[2020-01-01,2021-01-01)', '[0.1,1e23)',
                 '{[1,2),[5,9)}', '{[2020-01-01 00:00+00,)}', '(0.1,2.2)', '(1.1,1),(0,0)', '{1,2,3.3}',
                 '((0,0),(0.1,1),(1,0))', '<(0,0),0.1>', '[(0,0),(0.1,1)]', '[(0,0),(0.1,1)]', 'wide',
                 'pg_catalog.abs(int4)', 'mood', 'pg_monitor', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03',
                 '08:00:2b:01:02:03:04:05', '10:00:00.5', '10:00+02:30', '101', '1', '9', '9', '(1,2)',
                 'a fat cat', 'fat & cat', '$.a', '<a>b</a>', '16/B374D848', '{1 day,2 mons}', '1 2', '3 4',
                 '{2020-01-01 00:00+00}', '{sad,NULL}', '{\"{\\\"a\\\": 1}\",NULL}', '10:20:10,14',
                 '{\"\\\\x00ff\",NULL}', '{t,f,NULL}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
                 '{NaN,-Infinity,1e23,0.1}', '{wide,pg_class}', '{a,\"\"}', '{a,b}'
             );
             INSERT INTO wide (id) VALUES (2);
             INSERT INTO wide (id, f4, f8, n, d, ts, tz, ia, ta, na, t, by, j, jb, nm, ch, bp, x8) VALUES
                 (3, 'NaN', '-Infinity', 'NaN', 'infinity', '-infinity', 'infinity', '{}', '{{a},{b}}', '{}', '', '',
                  'null', 'null', '', '', '', '18446744073709551615'),
                 (4, 'Infinity', 1e23, '-Infinity', '4714-11-24 BC', '4714-11-24 00:00:00 BC',
                  '4714-11-24 00:00:00+00 BC', '[0:1][-1:0][3:3]={{{1},{2}},{{3},{NULL}}}', '{NULL}', NULL,
                  repeat('x', 200), decode(repeat('ff', 200), 'hex'), '[]', '[]', repeat('n', 63), 'z', 'abcde', '0'),
                 (5, 1e10, 8.41e21, 1e-16383, '5874897-12-31', '294276-12-31 23:59:59.999999',
                  '294276-12-31 23:59:59.999999+00', '{{{{{{1}}}}}}', '{\"NULL\",\"\"}', NULL, 'a', '\\x00', '0', '0', 'a',
                  ' ', 'a', '1'),
                 (6, -0.0, -0.0, -0.000, '0001-01-01 BC', '0001-12-31 23:59:59.9 BC', '10000-01-01 00:00+00', NULL,
                  NULL, NULL, '1.0', '\\x5c', '\"\\u20ac\"', '\"\\u20ac\"', '\"', '\"', '\"', '2'),
                 (7, 16777217, 9007199254740993, 1e131071, '1999-12-31', '1999-12-31 23:59:59.999999',
                  '1999-12-31 23:59:59.999999+00', NULL, NULL, NULL, NULL, NULL, '-0.0', '-0.0', NULL, NULL, NULL, NULL),
                 (8, 3.4028235e38, 1.7976931348623157e308, 9007199254740993.1, NULL, NULL, NULL, NULL, NULL, NULL,
                  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
                 (9, 1e-45, 5e-324, 0.1000000000000000055, NULL, NULL, NULL, NULL, NULL, NULL,
                  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
    }

    #[pg_test]
    fn rows_equal_to_jsonb_under_utc() {
        make_wide_table();
        // With the standard settings to_jsonb has a name's schema only if the search path lacks it.
        run("SET LOCAL search_path = pg_catalog");
        // Column by column, so that a failure names its culprits.
        run("CREATE FUNCTION pg_temp.differing() RETURNS text LANGUAGE plpgsql AS $$
             DECLARE col name; found text := ''; bad int;
             BEGIN
                 FOR col IN SELECT attname FROM pg_attribute WHERE attrelid = 'public.wide'::regclass
                            AND attnum > 0 AND NOT attisdropped LOOP
                     EXECUTE format('SELECT min(picked.row_id) FROM (SELECT id AS row_id, %I FROM public.wide) picked
                         WHERE public.canonical_row_hash(picked) <> public.canonical_json_hash(to_jsonb(picked))', col)
                         INTO bad;
                     IF bad IS NOT NULL THEN found := found || format(' %s of row %s', col, bad); END IF;
                 END LOOP;
                 RETURN found;
             END $$");
        let found = crate::tests::value::<String>("SELECT pg_temp.differing()");
        assert_eq!(found, "");
        holds(
            "SELECT count(*) = 9 AND count(DISTINCT public.canonical_row_hash(w)) = 9 \
                 AND bool_and(public.canonical_row_hash(w) = public.canonical_json_hash(to_jsonb(w))) \
             FROM public.wide w",
        );
    }

    #[pg_test]
    fn a_row_is_the_documented_text() {
        run("CREATE TABLE plain (id int, \"b\" text, a timestamptz, z numeric, \"\u{fb33}\" bool, \"\u{1f602}\" bytea,
                 iv interval)");
        run(
            "INSERT INTO plain VALUES (1, E'x\"\\n', '2026-11-20 23:57:42.12+02', 1.500, true, '\\x00ff', '1 day 02:00')",
        );
        holds(
            "SELECT canonical_row_hash(p) = sha256(convert_to('{\"a\":\"2026-11-20T21:57:42.12+00:00\",\
             \"b\":\"x\\\"\\n\",\"id\":1,\"iv\":\"1 day 02:00:00\",\"z\":1.5,\"\u{1f602}\":\"\\\\x00ff\",\
             \"\u{fb33}\":true}', 'UTF8')) FROM plain p",
        );
    }

    #[pg_test]
    fn no_setting_has_a_say() {
        make_wide_table();
        run("SET LOCAL search_path = public, pg_catalog");
        run("CREATE TABLE before AS SELECT id, canonical_row_hash(w) AS hash FROM wide w");
        let same = "SELECT count(*) = 9 AND bool_and(public.canonical_row_hash(w) = hash) \
                    FROM public.wide w JOIN public.before b USING (id)";
        holds(same);
        for setting in [
            "TimeZone = 'Asia/Kathmandu'",
            "TimeZone = 'America/St_Johns'",
            "DateStyle = 'SQL, DMY'",
            "DateStyle = 'German'",
            "DateStyle = 'Postgres, MDY'",
            "IntervalStyle = 'iso_8601'",
            "IntervalStyle = 'sql_standard'",
            "IntervalStyle = 'postgres_verbose'",
            "extra_float_digits = -15",
            "extra_float_digits = 0",
            "extra_float_digits = 3",
            "bytea_output = 'escape'",
            "quote_all_identifiers = on",
            "xmlbinary = 'hex'",
            "xmloption = 'document'",
            "array_nulls = off",
            "search_path = ''",
            "search_path = pg_catalog",
            "search_path = pg_temp, public",
            "lc_monetary = 'C'",
            "lc_monetary = 'C.UTF-8'",
            "lc_numeric = 'C.UTF-8'",
            "lc_time = 'C'",
        ] {
            run(&format!("SET LOCAL {setting}"));
            holds(same);
        }
        // All at once, as the loop has left them; and pinning them for a row has changed none.
        let settings = "SELECT string_agg(name || setting, ',' ORDER BY name) FROM pg_settings";
        let before = crate::tests::value::<String>(settings);
        holds(same);
        assert_eq!(crate::tests::value::<String>(settings), before);
        assert!(before.contains("IntervalStylepostgres_verbose"));
    }

    #[pg_test]
    fn settings_are_restored_after_an_error() {
        run("SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL search_path = public");
        run("CREATE TYPE angry; CREATE FUNCTION angry_in(cstring) RETURNS angry LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
             CREATE FUNCTION angry_out(angry) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
             CREATE TYPE angry (INPUT = angry_in, OUTPUT = angry_out, LIKE = int4);
             CREATE FUNCTION angry_json(angry) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE 'angry'; END $$;
             CREATE CAST (angry AS json) WITH FUNCTION angry_json(angry);
             CREATE TABLE trap (a angry, i interval); INSERT INTO trap VALUES ('1', '1 day')");
        let [state, message, _] = crate::tests::failure("SELECT canonical_row_hash(t) FROM trap t");
        assert_eq!((state.as_str(), message.as_str()), ("P0001", "angry"));
        holds(
            "SELECT current_setting('IntervalStyle') = 'iso_8601' AND current_setting('search_path') = 'public'",
        );
        run(
            "CREATE OR REPLACE FUNCTION angry_json(angry) RETURNS json LANGUAGE sql AS $$ SELECT '{\"b\": 1, \"a\": 2.0}'::json $$",
        );
        holds(
            "SELECT canonical_row_hash(t) = sha256('{\"a\":{\"a\":2,\"b\":1},\"i\":\"1 day\"}') FROM trap t",
        );
    }

    #[pg_test]
    fn casts_to_json_are_used_as_they_come_and_go() {
        run("SET LOCAL TimeZone = 'UTC'");
        run("CREATE TYPE colour AS ENUM ('red', 'green'); CREATE TABLE paint (c colour, cs colour[]);
             INSERT INTO paint VALUES ('red', '{green}')");
        holds(
            "SELECT canonical_row_hash(p) = sha256('{\"c\":\"red\",\"cs\":[\"green\"]}') FROM paint p",
        );
        run(
            "CREATE FUNCTION colour_json(colour) RETURNS json LANGUAGE sql IMMUTABLE AS \
             $$ SELECT pg_catalog.json_build_object('name', $1::text, 'a', 1.0) $$;
             CREATE CAST (colour AS json) WITH FUNCTION colour_json(colour)",
        );
        holds(
            "SELECT canonical_row_hash(p) = sha256('{\"c\":{\"a\":1,\"name\":\"red\"},\"cs\":[{\"a\":1,\"name\":\"green\"}]}') FROM paint p",
        );
        holds("SELECT canonical_row_hash(p) = canonical_json_hash(to_jsonb(p)) FROM paint p");
        run("DROP CAST (colour AS json)");
        holds(
            "SELECT canonical_row_hash(p) = sha256('{\"c\":\"red\",\"cs\":[\"green\"]}') FROM paint p",
        );
        run("ALTER TYPE colour RENAME VALUE 'red' TO 'ruby'");
        holds(
            "SELECT canonical_row_hash(p) = sha256('{\"c\":\"ruby\",\"cs\":[\"green\"]}') FROM paint p",
        );
    }

    #[pg_test]
    fn a_type_printed_as_text_is_text() {
        run("CREATE TYPE label; CREATE FUNCTION label_in(cstring) RETURNS label LANGUAGE internal IMMUTABLE STRICT AS 'textin';
             CREATE FUNCTION label_out(label) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
             CREATE TYPE label (INPUT = label_in, OUTPUT = label_out, LIKE = text);
             CREATE TABLE labelled (l label, ls label[]); INSERT INTO labelled VALUES (E'a\"\n', '{x,NULL}')");
        holds(
            "SELECT canonical_row_hash(x) = sha256('{\"l\":\"a\\\\\"\\\\n\",\"ls\":[\"x\",null]}') FROM labelled x",
        );
        run("CREATE FUNCTION label_json(label) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT '7.0'::json $$;
             CREATE CAST (label AS json) WITH FUNCTION label_json(label)");
        holds("SELECT canonical_row_hash(x) = sha256('{\"l\":7,\"ls\":[7,null]}') FROM labelled x");
    }

    #[pg_test]
    fn stored_values_read_as_fresh_ones() {
        run(
            "CREATE TABLE toasted (id int, t text, b bytea, j json, jb jsonb, n numeric, ia int[], ta text[])",
        );
        run("ALTER TABLE toasted ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL");
        let long = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 5000) i)";
        let values = format!(
            "SELECT 1 AS id, 'short'::text AS t, '\\x01'::bytea AS b, '{{}}'::json AS j, '{{}}'::jsonb AS jb, \
                 1.5 AS n, '{{1}}'::int[] AS ia, '{{a}}'::text[] AS ta \
             UNION ALL SELECT 2, {long}, convert_to({long}, 'UTF8'), json_build_object('a', {long}), \
                 jsonb_build_object('a', {long}), ('1' || repeat('23', 20000) || '.5')::numeric, \
                 (SELECT array_agg(i * 7919) FROM generate_series(1, 20000) i), \
                 (SELECT array_agg(md5(i::text)) FROM generate_series(1, 3000) i) \
             UNION ALL SELECT 3, repeat('abc', 50000), convert_to(repeat('a', 99999), 'UTF8'), \
                 json_build_object('a', repeat('x', 99999)), jsonb_build_object('a', repeat('x', 99999)), \
                 ('1' || repeat('0', 100000))::numeric, array_fill(7, ARRAY[100, 100]), array_fill('x'::text, ARRAY[9999])"
        );
        run(&format!("INSERT INTO toasted {values}"));
        holds(
            "SELECT pg_column_size(t) > 100000 AND pg_relation_size(reltoastrelid) > 0 \
               FROM toasted, pg_class WHERE id = 2 AND relname = 'toasted'",
        );
        holds("SELECT pg_column_size(jb) < 10000 FROM toasted WHERE id = 3");
        holds(&format!(
            "SELECT count(*) = 3 AND bool_and(canonical_row_hash(s) = canonical_row_hash(f) \
                 AND canonical_row_hash(s) = canonical_json_hash(to_jsonb(s))) \
             FROM toasted s JOIN ({values}) f USING (id)"
        ));
        // A composite value that holds such values.
        run("CREATE TABLE holder AS SELECT x AS whole, x.id FROM toasted x");
        holds(
            "SELECT bool_and(canonical_row_hash(h) = canonical_json_hash(to_jsonb(h)) \
                   AND canonical_row_hash(h.whole) = canonical_row_hash(x)) FROM holder h JOIN toasted x USING (id)",
        );
    }

    #[pg_test]
    fn layouts_follow_their_tables() {
        run("SET LOCAL TimeZone = 'UTC'");
        let agrees = "SELECT count(*) > 0 AND bool_and(canonical_row_hash(c) = canonical_json_hash(to_jsonb(c))) FROM changing c";
        run(
            "CREATE TABLE changing (id int, a text, b int); INSERT INTO changing VALUES (1, 'x', 2)",
        );
        holds(
            "SELECT canonical_row_hash(c) = sha256('{\"a\":\"x\",\"b\":2,\"id\":1}') FROM changing c",
        );
        for change in [
            "ALTER TABLE changing ADD added text DEFAULT 'stands in'",
            "ALTER TABLE changing ADD later timestamptz DEFAULT now()",
            "INSERT INTO changing (id) VALUES (2)",
            "ALTER TABLE changing DROP a",
            "ALTER TABLE changing RENAME b TO zz",
            "ALTER TABLE changing ALTER zz TYPE numeric(10, 2)",
            "ALTER TABLE changing ADD a int[] DEFAULT '{1,2}'",
            "INSERT INTO changing (id, a) VALUES (3, NULL)",
            "ALTER TABLE changing DROP added",
            "ALTER TABLE changing ADD generated int GENERATED ALWAYS AS (id * 2) STORED",
        ] {
            run(change);
            holds(agrees);
        }
        holds(
            "SELECT canonical_row_hash(c) = sha256(convert_to(format('{\"a\":null,\"generated\":6,\"id\":3,\"later\":%s,\"zz\":null}', \
                   to_jsonb(later)), 'UTF8')) FROM changing c WHERE id = 3",
        );
        run("ALTER TABLE changing DROP generated");
        run("ALTER TABLE changing DROP id, DROP a, DROP zz, DROP later");
        holds("SELECT bool_and(canonical_row_hash(c) = sha256('{}')) FROM changing c");
    }

    #[pg_test]
    fn composite_types_follow_their_definitions() {
        run("CREATE TYPE inner_part AS (a int); CREATE TYPE outer_part AS (i inner_part, l inner_part[]);
             CREATE TABLE parts (o outer_part); INSERT INTO parts VALUES ('(\"(1)\",\"{(2),NULL}\")'), (NULL)");
        let agrees = "SELECT bool_and(canonical_row_hash(p) = canonical_json_hash(to_jsonb(p))) FROM parts p";
        holds(
            "SELECT canonical_row_hash(p) = sha256('{\"o\":{\"i\":{\"a\":1},\"l\":[{\"a\":2},null]}}') FROM parts p LIMIT 1",
        );
        holds(agrees);
        run("ALTER TYPE inner_part ADD ATTRIBUTE b text");
        holds(agrees);
        run("ALTER TYPE inner_part RENAME ATTRIBUTE a TO z");
        holds(agrees);
        holds(
            "SELECT canonical_row_hash(p) = sha256('{\"o\":{\"i\":{\"b\":null,\"z\":1},\"l\":[{\"b\":null,\"z\":2},null]}}') FROM parts p LIMIT 1",
        );
    }

    #[pg_test]
    fn rows_of_no_table() {
        holds(
            "SELECT canonical_row_hash(ROW(1, 'a', NULL)) = sha256('{\"f1\":1,\"f2\":\"a\",\"f3\":null}')",
        );
        holds(
            "SELECT canonical_row_hash(r) = sha256('{\"a\":{\"f1\":1,\"f2\":[2]},\"b\":[{\"f1\":3}]}') \
               FROM (SELECT ROW(1, ARRAY[2]) AS a, ARRAY[ROW(3)] AS b) r",
        );
        holds("SELECT canonical_row_hash(NULL::record) IS NULL");
        holds(
            "SELECT count(DISTINCT canonical_row_hash(v)) = 100 FROM (SELECT i, i::text AS t FROM generate_series(1, 100) i) v",
        );
        fails(
            "SELECT canonical_row_hash(r) FROM (SELECT 1 AS a, 2 AS a) r",
            "42701",
            "\"a\"",
        );
        run("CREATE TABLE kept (id int, l int[], t text); INSERT INTO kept VALUES (1, '{1}', 'x')");
        // PL/pgSQL keeps rows and arrays in expanded form.
        run(
            "CREATE FUNCTION pg_temp.expanded() RETURNS boolean LANGUAGE plpgsql AS $$
             DECLARE r kept; a record;
             BEGIN
                 SELECT * INTO r FROM kept;
                 r.l[2] := 2;
                 r.t := repeat('y', 3);
                 SELECT 1 AS id, r.l AS l INTO a;
                 RETURN canonical_row_hash(r) = sha256('{\"id\":1,\"l\":[1,2],\"t\":\"yyy\"}')
                     AND canonical_row_hash(a) = sha256('{\"id\":1,\"l\":[1,2]}');
             END $$",
        );
        holds("SELECT pg_temp.expanded()");
    }

    #[pg_test]
    fn json_columns_are_read_strictly() {
        run(
            "CREATE TABLE loose (id int, j json); INSERT INTO loose VALUES (1, '{\"a\": 1.0}'), (2, '{\"a\":1,\"a\":2}'), \
             (3, '[1e131072]'), (4, '\"\\ud83d\"')",
        );
        holds(
            "SELECT canonical_row_hash(l) = sha256('{\"id\":1,\"j\":{\"a\":1}}') FROM loose l WHERE id = 1",
        );
        fails(
            "SELECT canonical_row_hash(l) FROM loose l WHERE id = 2",
            "22030",
            "\"a\"",
        );
        fails(
            "SELECT canonical_row_hash(l) FROM loose l WHERE id = 3",
            "22003",
            "1e131072",
        );
        fails(
            "SELECT canonical_row_hash(l) FROM loose l WHERE id = 4",
            "22032",
            "\\ud83d",
        );
    }

    #[pg_test]
    fn bytes_of_type_char_are_text_on_every_server() {
        run(
            "CREATE TABLE bytes (c \"char\"); INSERT INTO bytes VALUES ((-1)::\"char\"), ('a'), (0::\"char\"), ((-128)::\"char\")",
        );
        holds(
            "SELECT array_agg(canonical_row_hash(b)) = ARRAY[sha256('{\"c\":\"\\\\\\\\377\"}'), sha256('{\"c\":\"a\"}'), \
               sha256('{\"c\":\"\"}'), sha256('{\"c\":\"\\\\\\\\200\"}')] FROM bytes b",
        );
    }

    #[pg_test]
    fn deep_composites_end_in_a_clean_error() {
        run("CREATE TYPE level0 AS (v int)");
        for level in 1..=50 {
            run(&format!(
                "CREATE TYPE level{level} AS (c level{})",
                level - 1
            ));
        }
        let nested = (1..=50).fold("ROW(1)::level0".to_owned(), |value, level| {
            format!("ROW({value})::level{level}")
        });
        holds(&format!(
            "SELECT canonical_row_hash({nested}) = sha256((repeat('{{\"c\":', 50) || '{{\"v\":1}}' || repeat('}}', 50))::bytea)"
        ));
        // Records nest as deep as one builds them.
        run(
            "CREATE FUNCTION pg_temp.nest(levels int) RETURNS record LANGUAGE plpgsql AS $$
             DECLARE r record := ROW(1);
             BEGIN FOR i IN 1..levels LOOP r := ROW(r); END LOOP; RETURN r; END $$",
        );
        holds(
            "SELECT canonical_row_hash(pg_temp.nest(10)) = sha256((repeat('{\"f1\":', 11) || '1' || repeat('}', 11))::bytea)",
        );
        run("SET LOCAL max_stack_depth = '100kB'");
        let [state, _, _] = crate::tests::failure("SELECT canonical_row_hash(pg_temp.nest(1000))");
        assert_eq!(state, "54001");
    }

    #[pg_test]
    fn keys_are_texts_that_no_setting_changes() {
        for (number, (sql_type, input, expected)) in [
            ("int", "-5", "-5"),
            ("int8", "9007199254740993", "9007199254740993"),
            ("text", "a\"\\\u{20ac}", "a\"\\\u{20ac}"),
            ("char(3)", "a", "a  "),
            (
                "uuid",
                "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ),
            ("bytea", "\\x5C00", "\\x5c00"),
            ("numeric", "1.500", "1.500"),
            ("numeric", "NaN", "NaN"),
            ("float8", "Infinity", "Infinity"),
            ("date", "2020-02-29", "2020-02-29"),
            ("timestamp", "2020-02-29 01:02:03", "2020-02-29T01:02:03"),
            (
                "timestamptz",
                "2020-02-29 01:02:03+02",
                "2020-02-28T23:02:03+00:00",
            ),
            ("interval", "1 day 01:00", "1 day 01:00:00"),
            ("inet", "10.0.0.1", "10.0.0.1"),
            ("oid", "7", "7"),
            ("bool", "t", "true"),
            ("text[]", "{a,\"b c\"}", "[\"a\",\"b c\"]"),
            ("jsonb", "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}"),
            ("int4range", "[1,3)", "[1,3)"),
        ]
        .into_iter()
        .enumerate()
        {
            let literal = input.replace('\'', "''");
            run(&format!(
                "CREATE TABLE keyed{number} (k {sql_type} PRIMARY KEY);
                 CREATE TRIGGER t AFTER INSERT ON keyed{number} FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
                 SET LOCAL TimeZone = 'Asia/Tokyo'; SET LOCAL DateStyle = 'German'; SET LOCAL IntervalStyle = 'iso_8601';
                 SET LOCAL bytea_output = 'escape'; SET LOCAL extra_float_digits = -10;
                 INSERT INTO keyed{number} VALUES ('{literal}');
                 SELECT audit_flush()"
            ));
            let found = Spi::get_one::<String>(&format!(
                "SELECT event_pk FROM auditspine.audit_chain WHERE event_kind = 'keyed{number}'"
            ));
            assert_eq!(
                found.unwrap().as_deref(),
                Some(expected),
                "{sql_type} {input}"
            );
        }
    }
}
