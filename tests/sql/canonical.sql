-- Canonical JSON (RFC 8785, and exact numbers beyond it) and the hashes over it.
CREATE EXTENSION auditspine;

-- An untyped literal resolves; jsonb and text agree.
SELECT canonical_json('{"b": 1, "a": [true, null, "x"], "c": {}, "aa": []}');
SELECT canonical_json('{"b": 1, "a": [true, null, "x"], "c": {}, "aa": []}'::jsonb);
SELECT canonical_json_hash('{ "b":1 , "a":2 }') = sha256('{"a":2,"b":1}') AS untyped,
       canonical_json_hash('{ "b":1 , "a":2 }'::jsonb) = sha256('{"a":2,"b":1}') AS jsonb,
       canonical_json_hash('{ "b":1 , "a":2 }'::text) = sha256('{"a":2,"b":1}') AS text;

-- Scalars at the top.
SELECT j AS input, canonical_json(j) AS of_text, canonical_json(j::jsonb) AS of_jsonb
FROM unnest(ARRAY['null', 'true', 'false', '0', '""', '[]', '{}', ' "a" ']) j;

-- Keys are ordered by UTF-16 code units: the astral one before U+FB33, though its code point is larger.
SELECT canonical_json(j) AS of_text, canonical_json(j) = canonical_json(j::jsonb) AS same
FROM (VALUES (U&'{"\20ac": 1, "\000d": 2, "\fb33": 3, "1": 4, "\+01F600": 5, "\0080": 6, "\00f6": 7}'::text)) v(u),
     replace(u, U&'\000d', '\r') j;

-- Strings: only what must be escaped is, in the shortest form.
SELECT canonical_json('"\u0000"');
SELECT canonical_json('"\u0001\b\t\n\f\r\"\\\/\u007f\u00e9\ud83d\ude00"');
SELECT canonical_json('"\u0001\b\t\n\f\r\"\\\/\u007f\u00e9\ud83d\ude00"'::jsonb);

-- Numbers as ECMAScript writes them.
SELECT n AS input, canonical_json(n) AS of_text, canonical_json(n) = canonical_json(n::jsonb) AS same
FROM unnest(ARRAY['0', '-0', '-0.0', '1.0', '1.00', '10e-1', '100', '1e2', '1e20', '1e21', '1.5e300', '-1.5e300',
                  '0.000001', '1e-6', '1e-7', '0.0000001', '123456789012345680000', '5e-324',
                  '1.7976931348623157e308', '4.50', '2e-3', '1e23', '9007199254740992']) n;

-- And exactly where that would not be the same number.
SELECT n AS input, canonical_json(n) AS of_text, canonical_json(n::jsonb) AS of_jsonb
FROM unnest(ARRAY['9007199254740993', '-9007199254740993', '18446744073709551615', '0.1000000000000000055',
                  '0.1', '1.0000000000000000000000', '123456789012345678901234567890',
                  '333333333.33333329', '333333333.3333333300']) n;
SELECT length(canonical_json('1e400')) AS digits, length(canonical_json('1e400'::jsonb)) AS same,
       canonical_json('1e-400'::jsonb) = '0.' || repeat('0', 399) || '1' AS small;

-- Different stored numbers never share a text, equal ones always do.
WITH n(v) AS (
    SELECT (a.b + s)::numeric FROM (VALUES (0.1), (9007199254740992), (1e22), (1e-7), (333333333.3333333), (5e-324)) a(b),
        unnest(ARRAY[0, 1e-20, 1e-17, 1e-3, 1, 2]) s)
SELECT count(DISTINCT v) = count(DISTINCT canonical_json(to_jsonb(v))) AS injective,
       bool_and(canonical_json(to_jsonb(v))::numeric = v) AS exact,
       bool_and(canonical_json(to_jsonb(v)) = canonical_json(to_jsonb(v * 1.000))) AS scale_is_nothing
FROM n;

-- Strict.
SELECT canonical_json(NULL::text) IS NULL AND canonical_json(NULL::jsonb) IS NULL
   AND canonical_json_hash(NULL::text) IS NULL AND canonical_json_hash(NULL::jsonb) IS NULL AS strict;

-- The result is JSON of the same meaning, and canonical itself.
SELECT bool_and(canonical_json(j)::jsonb = j) AS same_meaning,
       bool_and(canonical_json(canonical_json(j)) = canonical_json(j)) AS idempotent
FROM (SELECT to_jsonb(t) AS j FROM pg_type t UNION ALL SELECT to_jsonb(p) FROM pg_proc p) s;

-- Rows: a record is hashed as the object of its columns.
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE TABLE everything (
    i2 smallint, i4 integer, i8 bigint, o oid, n numeric, n2 numeric(12, 2), f4 real, f8 double precision,
    b boolean, t text, v varchar(10), c char(5), na name, u uuid, by bytea, j json, jb jsonb,
    d date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval, m money,
    i inet, cd cidr, mac macaddr, bi bit(3), vb varbit, x xml, mo mood, p pair, po positive,
    r int4range, mr int4multirange, ia integer[], ta text[], ma integer[][], pa pair[], rc regclass, pt point
);
INSERT INTO everything VALUES (
    -1, 2, 9007199254740993, 4294967295, 1.50, 2.5, 0.1, 0.30000000000000004,
    true, E'tab\t"q" é', 'v', 'c', 'n', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '\xdeadbeef', '{"b" : 1.0, "a":[ ]}', '{"b": 1.0, "a": []}',
    '2026-02-28', '01:02:03.5', '01:02:03+05:30', '2026-02-28 01:02:03.456789', '2026-02-28 01:02:03.456789+02', '1 year 2 days 03:04:05.678', 12.34,
    '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', B'101', B'1', '<a>x</a>', 'ok', '(1,z)', 7,
    '[1,5)', '{[1,2),[5,7)}', '{1,NULL,3}', '{a,NULL,"c d"}', '{{1,2},{3,4}}', '{"(1,a)","(2,b)"}', 'pg_class', '(1,2)'
), (NULL, 0, 0, 0, 'NaN', 0, 'NaN', 'Infinity', false, '', '', '', '', NULL, '', '[]', 'null',
    'infinity', '00:00', '00:00+00', '-infinity', 'infinity', '0', 0, '::1', '::/0', '00:00:00:00:00:00', B'000', B'', NULL, 'sad', '(,)', 1,
    'empty', '{}', '{}', '{}', '{}', '{}', 0, '(0,0)');
INSERT INTO everything DEFAULT VALUES;

-- For common types it is the hash of to_jsonb(row) under UTC.
SET TimeZone = 'UTC';
SELECT count(*) AS rows, bool_and(canonical_row_hash(s) = canonical_json_hash(to_jsonb(s))) AS as_to_jsonb
FROM (SELECT i2, i4, i8, o, n, n2, b, t, v, c, na, u, j::jsonb AS j, jb, d, ts, tstz, mo, po, ia, ta, ma FROM everything) s;
SELECT canonical_row_hash(s) = sha256('{"a":1,"b":"x","c":null,"d":[1.5,null]}') AS by_hand
FROM (SELECT 1.0 AS a, 'x'::text AS b, NULL::date AS c, ARRAY[1.50, NULL] AS d) s;
SELECT canonical_row_hash(s) = sha256('{"f":0.1,"inf":"Infinity","nan":"NaN","neg":"-Infinity","single":1.1}') AS floats
FROM (SELECT 0.1::float8 AS f, 'nan'::float8 AS nan, 'inf'::float8 AS inf, '-inf'::float8 AS neg, 1.1::float4 AS single) s;
SELECT canonical_row_hash(s) = sha256('{"t":"2026-02-28T01:02:03.456789+00:00"}') AS utc
FROM (SELECT '2026-02-28 01:02:03.456789+00'::timestamptz AS t) s;

-- No setting of the session changes it.
CREATE TEMP TABLE hashed AS SELECT canonical_row_hash(e) AS hash FROM everything e;
SET TimeZone = 'Asia/Kathmandu';
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'iso_8601';
SET extra_float_digits = -3;
SET bytea_output = 'escape';
SET xmloption = 'content';
SET lc_monetary = 'C';
SET search_path = pg_temp;
SET quote_all_identifiers = on;
SET array_nulls = off;
SELECT count(*) AS same FROM public.everything e JOIN hashed h ON h.hash = public.canonical_row_hash(e);
RESET ALL;
SELECT count(*) AS same FROM everything e JOIN hashed h ON h.hash = canonical_row_hash(e);

-- Each column counts.
SELECT count(DISTINCT canonical_row_hash(e)) AS different FROM everything e;

-- Column order and dropped columns do not; names do.
CREATE TABLE shape (a integer, gone text, b text);
INSERT INTO shape VALUES (1, 'x', 'y');
ALTER TABLE shape DROP COLUMN gone;
SELECT canonical_row_hash(s) = sha256('{"a":1,"b":"y"}') AS dropped FROM shape s;
SELECT canonical_row_hash(s) = sha256('{"a":1,"b":"y"}') AS turned FROM (SELECT b, a FROM shape) s;
ALTER TABLE shape RENAME COLUMN b TO c;
SELECT canonical_row_hash(s) = sha256('{"a":1,"c":"y"}') AS renamed FROM shape s;
ALTER TABLE shape ADD COLUMN d integer DEFAULT 4;
SELECT canonical_row_hash(s) = sha256('{"a":1,"c":"y","d":4}') AS added FROM shape s;
SELECT canonical_row_hash(ROW(1, 'x'::text)) = sha256('{"f1":1,"f2":"x"}') AS anonymous;
SELECT canonical_row_hash(NULL) IS NULL AS strict;
SELECT canonical_row_hash(s) = sha256('{}') AS no_columns FROM (SELECT) s;

-- Toasted and wide values.
CREATE TABLE wide (id integer, t text, j jsonb);
INSERT INTO wide SELECT 1, repeat('abc', 100000), to_jsonb(array_agg(g)) FROM generate_series(1, 50000) g;
SELECT canonical_row_hash(w) = canonical_json_hash(to_jsonb(w)) AS toasted,
       canonical_json_hash(j) = canonical_json_hash(j::text) AS long_array FROM wide w;

-- Not JSON: an error with a position.
\set SHOW_CONTEXT never
SELECT canonical_json('');
SELECT canonical_json('{"a": 1');
SELECT canonical_json('{"a": 1} x');
SELECT canonical_json('{"a": 01}');
SELECT canonical_json('{"a": .5}');
SELECT canonical_json('[1,]');
SELECT canonical_json('{"a": 1, "b": {"x": 1, "x": 2}}');
SELECT canonical_json('{"a": 1, "\u0061": 2}');
SELECT canonical_json('"\ud800"');
SELECT canonical_json('"\udc00\ud800"');
SELECT canonical_json(E'"tab\there"');
SELECT canonical_json('NaN');
SELECT canonical_json('1e999999999');
SELECT left(canonical_json(repeat('[', 100000) || repeat(']', 100000)), 3) AS deep;

DROP TABLE everything, shape, wide;
DROP TYPE mood, pair;
DROP DOMAIN positive;
DROP EXTENSION auditspine;
