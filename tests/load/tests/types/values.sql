-- Types of every sort, and for each type of the database texts that are values of it: `sample`. Each is kept once,
-- though another text of the same value (the same output, and sent alike) were given.
CREATE SCHEMA kinds;
CREATE TYPE kinds.mood AS ENUM ('sad', 'ok', 'happy', 'a"b', 'null', ' ', 'true', '[1]', '-0', '{}', '1', 'é,(', 'b\c');
CREATE TYPE kinds.twin AS ENUM ('sad', 'ok');
CREATE DOMAIN kinds.price AS numeric(6, 2);
CREATE DOMAIN kinds.numbers AS integer[];
CREATE DOMAIN kinds.documents AS jsonb;
CREATE DOMAIN kinds.temper AS kinds.mood;
CREATE TYPE kinds.small_pair AS (m kinds.mood, n numeric, q numeric(5, 2), f float4);
CREATE TYPE kinds.pair AS (a integer, "B c" text, m kinds.mood, i kinds.small_pair, l kinds.mood[], r regclass, j json, d jsonb, x interval);
CREATE TABLE kinds.row_type (x integer, y kinds.mood, z kinds.price);
CREATE TYPE kinds.moods AS RANGE (subtype = kinds.mood);
CREATE TYPE kinds.texts AS RANGE (subtype = text, collation = "C");
CREATE TYPE kinds.floats AS RANGE (subtype = float8);
CREATE TYPE kinds.small_pairs AS RANGE (subtype = kinds.small_pair);
CREATE TYPE kinds.arrays AS RANGE (subtype = integer[]);
CREATE TYPE kinds.mood_arrays AS RANGE (subtype = kinds.mood[]);
CREATE TYPE kinds.classes AS RANGE (subtype = regclass);
CREATE TYPE kinds.documents_range AS RANGE (subtype = jsonb);
CREATE DOMAIN kinds.mood_range AS kinds.moods;
-- Base types of somebody's own, by functions of PostgreSQL: one that is sent, since its text may change; one that has
-- nothing but its text; one that calls itself immutable; one that is text in all but name.
CREATE TYPE kinds.moment;
CREATE FUNCTION kinds.moment_in(cstring, oid, integer) RETURNS kinds.moment LANGUAGE internal STABLE STRICT AS 'timestamptz_in';
CREATE FUNCTION kinds.moment_out(kinds.moment) RETURNS cstring LANGUAGE internal STABLE STRICT AS 'timestamptz_out';
CREATE FUNCTION kinds.moment_send(kinds.moment) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'timestamptz_send';
CREATE TYPE kinds.moment (INPUT = kinds.moment_in, OUTPUT = kinds.moment_out, SEND = kinds.moment_send, LIKE = timestamptz);
CREATE TYPE kinds.size;
CREATE FUNCTION kinds.size_in(cstring) RETURNS kinds.size LANGUAGE internal STABLE STRICT AS 'float8in';
CREATE FUNCTION kinds.size_out(kinds.size) RETURNS cstring LANGUAGE internal STABLE STRICT AS 'float8out';
CREATE TYPE kinds.size (INPUT = kinds.size_in, OUTPUT = kinds.size_out, LIKE = float8);
CREATE TYPE kinds.blob;
CREATE FUNCTION kinds.blob_in(cstring) RETURNS kinds.blob LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
CREATE FUNCTION kinds.blob_out(kinds.blob) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
CREATE TYPE kinds.blob (INPUT = kinds.blob_in, OUTPUT = kinds.blob_out, LIKE = bytea);
CREATE TYPE kinds.label;
CREATE FUNCTION kinds.label_in(cstring) RETURNS kinds.label LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION kinds.label_out(kinds.label) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE kinds.label (INPUT = kinds.label_in, OUTPUT = kinds.label_out, LIKE = text);
CREATE TYPE kinds.named AS (m kinds.moment, b kinds.blob, l kinds.label, e kinds.twin);
CREATE TABLE kinds.target (x integer);

CREATE TABLE sample (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, type oid NOT NULL, value text NOT NULL,
                     shown text NOT NULL, sent text NOT NULL, UNIQUE (type, shown, sent));

-- The type as DDL names it.
CREATE FUNCTION named(type oid) RETURNS text LANGUAGE sql AS $$
    SELECT format('%I.%I', nspname, typname) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE t.oid = type
$$;

-- Keeps a value, if the text is one.
CREATE FUNCTION keep(type oid, value text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    -- A domain is sent as what it is a domain of, and some types by functions of text.
    base oid := (WITH RECURSIVE b AS (SELECT type AS at UNION ALL SELECT typbasetype FROM b JOIN pg_type t ON t.oid = b.at WHERE typtype = 'd') SELECT at FROM b ORDER BY (SELECT typtype = 'd' FROM pg_type t WHERE t.oid = at) LIMIT 1);
    send text := (SELECT format('encode(%s(v::%s), ''hex'')', typsend::oid::regproc, CASE typsend::oid::regproc::text WHEN 'textsend' THEN 'text' ELSE named(base) END)
                  FROM pg_type t WHERE t.oid = base AND typsend <> 0);
BEGIN
    FOREACH send IN ARRAY ARRAY[coalesce(send, quote_literal('')), quote_literal('')] LOOP
        BEGIN
            EXECUTE format('INSERT INTO sample (type, value, shown, sent) SELECT $1, $2, ROW(v)::text, %s FROM (SELECT $2::%s AS v) v WHERE ROW(v)::text <> ''()'' ON CONFLICT DO NOTHING',
                           send, named(type)) USING type, value;
            RETURN;
        EXCEPTION WHEN OTHERS THEN
            -- It may be no value, or part of it cannot be sent.
            IF SQLSTATE NOT LIKE '42%' THEN
                RETURN;
            END IF;
        END;
    END LOOP;
END $$;

CREATE FUNCTION random_digits(count integer) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg((array['0', '0', '0', '1', '5', '9'])[1 + floor(random() * 6)::int], ''), '') FROM generate_series(1, count)
$$;

CREATE FUNCTION pick(texts text[]) RETURNS text LANGUAGE sql AS $$ SELECT texts[1 + floor(random() * cardinality(texts))::int] $$;

CREATE FUNCTION random_json(depth integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN depth > 0 AND random() < 0.5
        THEN CASE WHEN random() < 0.5 THEN format('[%s, %s]', random_json(depth - 1), random_json(depth - 1))
                  ELSE format('{"%s": %s, "b": %s}', pick(ARRAY['a', 'b', 'é', '\"']), random_json(depth - 1), random_json(depth - 1)) END
        ELSE pick(ARRAY['null', 'true', 'false', '0', '-0', '1', '1.0', '1.00', '1e0', '10', '1e1', '1e2', '100', '0.1', '0.10', '""', '"1"',
                        '"1.0"', '"null"', '"true"', '"[]"', '"{}"', '[]', '{}', '"\u00e9"', '"a\nb"', '" "', '"-"', '"\""', '"\"null\""', '"\\"']) END;
END $$;

-- Texts that are values of one type or another.
CREATE FUNCTION corpus() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT unnest(ARRAY[
        '', ' ', 'a', 'A', 'a ', ' a', 'ab', 'é', 'null', 'NULL', 'true', 'false', 't', 'f', '0', '-0', '1', '-1', '2', '10', '01', '+1', '1.0', '1.00', '1.10',
        '1.1', '-1.5', '0.0', '-0.0', '0.10', '1e3', '1e-7', '1e23', '1e30', '1e300', '1e-300', '3.4e38', '16777217', '0.1', '0.30000000000000004',
        '9007199254740993', '9223372036854775807', '-9223372036854775808', '2147483647', '32767', '4294967295', 'NaN', 'Infinity', '-Infinity', 'infinity', '-infinity',
        '100', '1000', '1000.000', '12345678901234567890.12345678901234567890', '{}', '{1}', '{1,2}', '[0:1]={1,2}', '{{1,2},{3,4}}', '{NULL}', '{"NULL"}',
        '[1]', '"1"', '"null"', '"true"', '"\"x\""', '1.50', '{"a":1}', '{"a": 1}', '{"a": 1.0}', '{"a": 1, "a": 2}', '{"a": 2}', '{"b": 1, "a": {"c": null}}', '[1.00]', '[null]', '{"a": "x\u0000y"}',
        '{"a": 1e200000}', '{"a": 1e400}', '\x', '\x00', '\x00ff', '\\', 'a"b', 'a''b', 'a\nb', E'a\nb', E'a\tb', E'\x01', E'\x7f', 'a,b', '(a)', '[a,b)', '''a'' & ''b''', 'a & b & c', 'a & (b & c)', '!a', 'a | b | c',
        'a | (b | c)', 'a <-> b <-> c', 'a <-> (b <-> c)', 'a:*', 'a:AB', 'a:1 b:2A', 'a:1,2 b', 'b a', '2026-01-01', '2026-02-28', '0044-03-15 BC', '12026-01-01', '2026-01-01 00:00:00', '2026-01-01 00:00:00.1',
        '2026-01-01 00:00:00.10', '2026-01-01 00:00:00.000001', '2026-01-01 00:00:00+02', '2026-01-01 01:00:00+03', '0044-03-15 00:00:00 BC', '00:00:00', '24:00:00', '01:02:03', '01:02:03.5', '01:02:03+00', '01:02:03+05:45', '01:02:03+00:00:30',
        '1 mon', '30 days', '720:00:00', '1 day', '24:00:00', '-1 mon', '1 mon -1 day', '1 day -00:00:01', '1 year', '12 mons', '1 year 2 mons 3 days 04:05:06.789', '-1 year', '$1.00', '$1,234.56', '-$0.01', '1234.56',
        '10.0.0.1', '10.0.0.1/32', '10.0.0.0/8', '10.0.0.1/8', '::1', '::/0', 'fe80::1/64', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '08:00:2b:ff:fe:01:02:03', '00112233-4455-6677-8899-aabbccddeeff', '00112233-4455-6677-8899-aabbccddeefe',
        '101', 'B101', '1', '10', '100', '(0,0)', '(-0,0)', '(1,2)', '(1.1,2)', '(0.1,0.30000000000000004)', '((0,0),(1,1))', '(0,0),(1,1)', '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '[(0,0),(1,1),(2,0)]', '<(0,0),1>', '<(0,0),2>', '{1,-1,0}', '{1,2,3}',
        '(NaN,Infinity)', '(0,1)', '(0,2)', '0/0', '0/16B3748', 'FFFFFFFF/FFFFFFFF', '10:20:10,14,15', '10:20:', '<a/>', '<a />', '<a>1</a>', 'x<a/>', '<?xml version="1.0"?><a/>', '<?xml version="1.0" standalone="yes"?><a/>', '$.a', '$."a"', 'strict $.a', '$.a[*] ? (@.b > 1.0)', '$.a[*] ? (@.b > 1.00)',
        'pg_class', 'pg_type', 'kinds.target', 'sample', 'int4', 'integer', 'text', 'now', 'pg_catalog.now', 'int4in', '+', '=', '-(integer,integer)', '+(integer,integer)', 'now()', 'int4in(cstring)', 'pg_catalog', 'public', 'kinds', 'postgres', 'english', 'simple', 'german', 'german_stem', '"C"', 'C', 'POSIX',
        'postgres=r/postgres', 'postgres=r*w/postgres', '=r/postgres', 'postgres=arwdDxt/postgres', 'postgres=UC*/postgres', 'sad', 'ok', 'happy', 'a"b', '[1]', 'é,(', 'b\c',
        '[1,2)', '[1,2]', '(1,2)', 'empty', '(,)', '[1,)', '(,2]', '[2026-01-01,2026-02-01)', '{[1,2)}', '{[1,2),[5,6)}', '\377', '\001', 'ab  ', 'a/b', '1/1'])
    UNION SELECT unnest(ARRAY[random_digits(1 + n % 3) || '.' || random_digits(n % 5), '-' || random_digits(n % 7) || '.' || random_digits(n % 4), random_json(3), random_json(2), random_json(1),
                              (random() * 10 ^ (n % 20 - 10))::text, (random() * 10 ^ (n % 20 - 10))::float4::text, random_digits(n % 9),
                              pick('{-,""}') || n % 13 || ' mons ' || pick('{-,""}') || n % 3 || ' days ' || pick('{-,""}') || '0' || n % 7 || ':00:0' || n % 5 || pick('{"",.5,.50}'),
                              date '2000-01-01' + n * 91 || ' 0' || n % 10 || ':00:00' || pick('{"",.1,.10,+02,-03:30}'), format('(%s,%s)', random_digits(1), random_digits(2)), format('(%s,%s),(%s,%s)', n % 3, n % 5 * 0.1, -n, n % 2),
                              format('[(%s,%s),(%s,%s)]', n % 3, n % 5 * 0.1, -n, n % 2), format('{%s,%s,%s}', n % 3, 1 + n % 2, -n), format('<(%s,%s),%s>', n % 2, -n, n % 7 / 3.0),
                              format('10:20:%s', 10 + n % 10), format('%s%s000000-0000-0000-0000-000000000001', n % 10, n % 3), lpad((n % 16)::bit(4)::text, n % 9, '0'),
                              array_to_string(ARRAY(SELECT pick(ARRAY['a', '"', '[', ']', '{', '}', '(', ')', ',', '\', ':', '/', '1', '0', '.', '-', 'null', 'é', '😀', ' ']) FROM generate_series(0, n % 6) WHERE n > 0), '')])
          FROM generate_series(1, 25) n
$$;

CREATE FUNCTION quoted(text) RETURNS text LANGUAGE sql AS $$
    SELECT '"' || replace(replace($1, '\', '\\'), '"', '\"') || '"'
$$;

-- Some of a type's values, as texts.
CREATE FUNCTION some_of(of oid, most integer) RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(value), '{}') FROM (SELECT value FROM sample WHERE type = of ORDER BY random() LIMIT most) v
$$;

-- Fills `sample` for a type, and for what it is made of.
CREATE FUNCTION fill(of oid, depth integer DEFAULT 0) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t pg_type := (SELECT p FROM pg_type p WHERE p.oid = of);
    element oid := (SELECT p.typelem FROM pg_type p WHERE p.oid = of AND p.typsubscript = 'array_subscript_handler'::regproc AND typlen = -1 AND p.oid NOT IN ('int2vector'::regtype, 'oidvector'::regtype));
    parts text[];
    part text;
    types oid[];
    bound text[];
BEGIN
    IF EXISTS (SELECT FROM sample WHERE type = of) OR depth > 6 THEN
        RETURN;
    END IF;
    IF element <> 0 THEN
        PERFORM fill(element, depth + 1);
        parts := ARRAY(SELECT quoted(v) FROM unnest(some_of(element, 12)) v);
        PERFORM keep(of, '{}'), keep(of, '{NULL}');
        FOREACH part IN ARRAY parts LOOP
            PERFORM keep(of, format('{%s}', part)), keep(of, format('{{%s}}', part)), keep(of, format('[0:0]={%s}', part)),
                    keep(of, format('{{{%s}}}', part)), keep(of, format('{NULL,%s}', part)), keep(of, format('[-1:-1][3:3]={{%s}}', part));
        END LOOP;
        FOR n IN 1..8 LOOP
            bound := ARRAY[pick(parts), pick(parts), pick(parts), pick(parts)];
            part := (SELECT typdelim FROM pg_type e WHERE e.oid = element);
            PERFORM keep(of, format('{%s%s%s}', bound[1], part, bound[2])), keep(of, format('[0:1]={%s%s%s}', bound[1], part, bound[2])),
                    keep(of, format('{{%s%s%s}}', bound[1], part, bound[2])), keep(of, format('{{%s}%s{%s}}', bound[1], part, bound[2])),
                    keep(of, format('[5:6][1:2]={{%1$s%5$s%2$s}%5$s{%3$s%5$s%4$s}}', bound[1], bound[2], bound[3], bound[4], part)),
                    keep(of, format('{{%1$s%5$s%2$s}%5$s{%3$s%5$s%4$s}}', bound[1], bound[2], bound[3], bound[4], part));
        END LOOP;
    ELSIF t.typtype = 'd' THEN
        PERFORM fill(t.typbasetype, depth + 1);
        PERFORM keep(of, value) FROM sample WHERE type = t.typbasetype;
    ELSIF t.typtype = 'e' THEN
        PERFORM keep(of, enumlabel) FROM pg_enum WHERE enumtypid = of;
    ELSIF t.typtype = 'r' THEN
        types := ARRAY[(SELECT rngsubtype FROM pg_range WHERE rngtypid = of)];
        PERFORM fill(types[1], depth + 1);
        parts := ARRAY(SELECT quoted(v) FROM unnest(some_of(types[1], 16)) v);
        PERFORM keep(of, 'empty'), keep(of, '(,)');
        FOR n IN 1..60 LOOP
            PERFORM keep(of, pick(ARRAY['[', '(']) || pick(parts) || ',' || pick(parts) || pick(ARRAY[']', ')'])), keep(of, '[' || pick(parts) || ',)');
        END LOOP;
    ELSIF t.typtype = 'm' THEN
        types := ARRAY[(SELECT rngtypid FROM pg_range WHERE rngmultitypid = of)];
        PERFORM fill(types[1], depth + 1);
        parts := some_of(types[1], 20);
        PERFORM keep(of, '{}');
        FOR n IN 1..30 LOOP
            PERFORM keep(of, '{' || pick(parts) || '}'), keep(of, '{' || pick(parts) || ',' || pick(parts) || '}');
        END LOOP;
    ELSIF t.typtype = 'c' THEN
        types := ARRAY(SELECT atttypid FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped ORDER BY attnum);
        PERFORM fill(a, depth + 1) FROM unnest(types) a;
        FOR n IN 1..40 LOOP
            PERFORM keep(of, (SELECT '(' || string_agg(CASE WHEN random() < 0.2 THEN '' ELSE coalesce(quoted((some_of(a, 1))[1]), '') END, ',' ORDER BY at) || ')'
                              FROM unnest(types) WITH ORDINALITY u(a, at)));
        END LOOP;
    ELSE
        PERFORM keep(of, v) FROM corpus() v;
    END IF;
END $$;

-- Every type that a column can be of and that has a value: those of pg_catalog, of `kinds`, and of extensions.
CREATE FUNCTION fill_all() RETURNS void LANGUAGE sql AS $$
    SELECT fill(t.oid) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace LEFT JOIN pg_class c ON c.oid = typrelid
    WHERE typtype IN ('b', 'd', 'e', 'r', 'm', 'c') AND typisdefined AND (nspname IN ('pg_catalog', 'kinds') OR EXISTS (
              SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND deptype = 'e'))
      -- A regoper's text may stand for several operators.
      AND 'regoper'::regtype NOT IN (t.oid, t.typelem) AND NOT (typtype = 'c' AND (nspname <> 'kinds' OR c.relkind = 'S'))
      AND (typelem = 0 OR NOT EXISTS (SELECT FROM pg_type e JOIN pg_namespace m ON m.oid = e.typnamespace WHERE e.typarray = t.oid AND e.typtype IN ('c', 'p') AND m.nspname <> 'kinds'))
    ORDER BY t.oid
$$;
