-- Objects that others have planted: operators, functions and types that fit our statements as well as PostgreSQL's own,
-- or better, in the schema where the extension is installed or updated, and first in the search_path of whoever uses it.
-- They are made of the scripts: of every function and operator that is named there.
DROP EXTENSION auditspine;
CREATE ROLE regress_auditspine_planter;
CREATE SCHEMA planted AUTHORIZATION regress_auditspine_planter;
CREATE SCHEMA tools;
CREATE SCHEMA safe;
SET search_path = pg_catalog;
SET client_min_messages = warning;

CREATE TABLE tools.script AS
SELECT f AS file, pg_read_file(c.setting || '/extension/' || f) AS content
FROM pg_config AS c CROSS JOIN LATERAL pg_ls_dir(c.setting || '/extension') AS f
WHERE c.name = 'SHAREDIR' AND f ~ '^auditspine--[0-9.]+(--[0-9.]+)?\.sql$';
CREATE TABLE tools.func AS
SELECT DISTINCT p.proname AS name, p.prokind = 'f' AND NOT p.proretset AS plain
FROM tools.script CROSS JOIN LATERAL regexp_matches(content, '\m([a-z_0-9]+) ?\(', 'g') AS m
JOIN pg_proc AS p ON p.proname = m[1] AND p.pronamespace = 'pg_catalog'::regnamespace
WHERE p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype);
-- IN, BETWEEN, CASE and NULLIF name operators without showing them.
CREATE TABLE tools.op AS
SELECT DISTINCT o.oprname AS name
FROM pg_operator AS o JOIN tools.script AS s
  ON position(' ' || o.oprname || ' ' IN s.content) > 0 OR position('.' || o.oprname || ')' IN s.content) > 0
  OR o.oprname IN ('=', '<>', '<', '>', '<=', '>=');
SELECT count(*) FILTER (WHERE name IN ('=', '||', '->>', '&', '<=')) AS operators FROM tools.op;
SELECT count(DISTINCT name) FILTER (WHERE name IN ('num_nulls', 'format', 'unnest', 'array_agg', 'count')) AS functions FROM tools.func;

CREATE TABLE tools.type (name text, wide boolean);
INSERT INTO tools.type VALUES
    ('oid', true), ('regclass', true), ('text', true), ('name', true), ('"char"', true), ('int2', true), ('int4', true),
    ('text[]', true), ('jsonb', true), ('regprocedure', false), ('int8', false), ('bool', false), ('bytea', false),
    ('timestamptz', false), ('interval', false), ('int2vector', false), ('int2[]', false), ('name[]', false),
    ('"char"[]', false), ('xid8', false), ('anyelement', false), ('anyarray', false);

-- A trap: whoever springs it draws a number, which no rollback undoes, and is told.
SET SESSION AUTHORIZATION regress_auditspine_planter;
CREATE SEQUENCE planted.sprung;
GRANT USAGE ON SCHEMA planted TO PUBLIC;
GRANT USAGE ON SEQUENCE planted.sprung TO PUBLIC;
RESET SESSION AUTHORIZATION;
CREATE FUNCTION tools.body(what text, result text) RETURNS text LANGUAGE sql AS $$
    SELECT format($t$LANGUAGE plpgsql AS $f$ BEGIN
        PERFORM pg_catalog.nextval('planted.sprung'::pg_catalog.regclass);
        RAISE WARNING USING MESSAGE = %L;
        RETURN NULL;
    END $f$ $t$, 'sprung: ' || what || CASE WHEN result = '' THEN '' ELSE ', ' || result END)
$$;
CREATE FUNCTION tools.result_of_operator(op text) RETURNS text LANGUAGE sql AS $$
    SELECT 'pg_catalog.' || quote_ident(t.typname)
    FROM pg_operator AS o JOIN pg_type AS t ON t.oid = o.oprresult
    WHERE o.oprname = op AND o.oprkind = 'b' AND t.typtype = 'b' AND t.typelem = 0
    ORDER BY o.oprleft = 'int4'::regtype AND o.oprright = 'int4'::regtype DESC, o.oprleft = 'text'::regtype DESC,
             o.oprleft = 'jsonb'::regtype DESC, o.oid LIMIT 1
$$;
CREATE FUNCTION tools.result_of_function(func text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce((SELECT 'pg_catalog.' || quote_ident(t.typname) FROM pg_proc AS p JOIN pg_type AS t ON t.oid = p.prorettype
                     WHERE p.proname = func AND p.pronamespace = 'pg_catalog'::regnamespace AND t.typtype = 'b' ORDER BY p.oid LIMIT 1),
                    'pg_catalog.bool')
$$;
-- Without `all_of_them` only what an old release can still be installed beside: operators and functions that return what
-- PostgreSQL's own do.
CREATE PROCEDURE tools.plant(all_of_them boolean) LANGUAGE plpgsql AS $p$
DECLARE
    kind record;
    one record;
    other record;
    result text;
BEGIN
    SET LOCAL check_function_bodies = off;
    FOR kind IN SELECT name FROM tools.op LOOP
        result := tools.result_of_operator(kind.name);
        CONTINUE WHEN result IS NULL;
        FOR one IN SELECT l.name AS l, r.name AS r
                   FROM tools.type AS l CROSS JOIN tools.type AS r
                   WHERE all_of_them OR l.name NOT LIKE 'any%' AND r.name NOT LIKE 'any%' LOOP
            EXECUTE format('CREATE FUNCTION planted.%I(pg_catalog.%s, pg_catalog.%s) RETURNS %s %s', 'of ' || kind.name, one.l, one.r,
                           CASE WHEN kind.name = '||' AND one.l LIKE '%[]' THEN 'pg_catalog.' || one.l ELSE result END,
                           tools.body(kind.name, one.l || ', ' || one.r));
            EXECUTE format('CREATE OPERATOR planted.%s (LEFTARG = pg_catalog.%s, RIGHTARG = pg_catalog.%s, FUNCTION = planted.%I)',
                           kind.name, one.l, one.r, 'of ' || kind.name);
        END LOOP;
    END LOOP;
    FOR kind IN SELECT DISTINCT name FROM tools.func WHERE plain OR all_of_them LOOP
        result := tools.result_of_function(kind.name);
        FOR one IN SELECT 'pg_catalog.' || name AS arguments FROM tools.type WHERE all_of_them OR name NOT LIKE 'any%'
                   UNION ALL
                   SELECT format('pg_catalog.%s, pg_catalog.%s', l.name, r.name)
                   FROM tools.type AS l CROSS JOIN tools.type AS r WHERE l.wide AND r.wide
                   UNION ALL
                   SELECT format('pg_catalog.%s, pg_catalog.text DEFAULT NULL', name) FROM tools.type
                   WHERE all_of_them AND NOT wide AND name NOT LIKE 'any%' LOOP
            EXECUTE format('CREATE FUNCTION planted.%I(%s) RETURNS %s %s',
                           kind.name, one.arguments, result, tools.body(kind.name, one.arguments));
        END LOOP;
    END LOOP;
    -- Types of the names that PostgreSQL's have, for a search_path that comes to this schema first.
    IF all_of_them THEN
        EXECUTE 'CREATE FUNCTION planted.spring(what pg_catalog.text) RETURNS pg_catalog.bool ' || tools.body('a type', '');
        FOR one IN SELECT name FROM tools.type WHERE name NOT LIKE 'any%' AND name NOT LIKE '%[]' LOOP
            EXECUTE format('CREATE DOMAIN planted.%s AS pg_catalog.%s CHECK (planted.spring(%L))', one.name, one.name, one.name);
        END LOOP;
    END IF;
END $p$;
GRANT USAGE ON SCHEMA tools TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA tools TO PUBLIC;

-- What belongs to the extension, and depends on something in that schema that does not.
CREATE VIEW tools.bound AS
WITH ext AS (SELECT oid FROM pg_extension WHERE extname = 'auditspine'),
member AS (
    SELECT d.classid, d.objid FROM pg_depend AS d JOIN ext ON d.refobjid = ext.oid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
), part AS (
    -- Rules of views, defaults, constraints, triggers, indexes, policies.
    SELECT classid, objid FROM member
    UNION
    SELECT d.classid, d.objid FROM pg_depend AS d JOIN member AS m ON d.refclassid = m.classid AND d.refobjid = m.objid
    WHERE d.deptype IN ('a', 'i', 'P', 'S') OR d.classid IN ('pg_rewrite'::regclass, 'pg_constraint'::regclass, 'pg_policy'::regclass)
)
SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) AS object, pg_describe_object(d.refclassid, d.refobjid, 0) AS uses
FROM pg_depend AS d JOIN part AS p ON d.classid = p.classid AND d.objid = p.objid
LEFT JOIN pg_proc AS f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
LEFT JOIN pg_operator AS o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
LEFT JOIN pg_type AS t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
WHERE to_regnamespace('planted') IN (f.pronamespace, o.oprnamespace, t.typnamespace)
  AND (d.refclassid, d.refobjid) NOT IN (SELECT classid, objid FROM member);

-- What users do, in calls that mean nothing else themselves, with the planted schema ahead of pg_catalog.
CREATE TABLE tools.step (step integer GENERATED ALWAYS AS IDENTITY, command text);
INSERT INTO tools.step (command) VALUES
    ('SET search_path = planted, pg_catalog'),
    ('SELECT * FROM auditspine.audited_table'),
    ('SELECT * FROM auditspine.blueprint'),
    ('CREATE TABLE safe.t (id integer PRIMARY KEY, note pg_catalog.text, kind pg_catalog."char")'),
    ('SELECT planted.audit_attach(''safe.t''::pg_catalog.regclass, ''t''::pg_catalog.text, ''main''::pg_catalog.text, NULL::pg_catalog.text[], NULL::pg_catalog.text[], ''full''::pg_catalog.text, ''{}''::pg_catalog.text[], false, false, true)'),
    ('INSERT INTO safe.t VALUES (1, ''one'', ''a''), (2, ''two'', ''b''), (3, ''three'', ''c'')'),
    ('UPDATE safe.t SET note = ''changed'''),
    ('ALTER TABLE safe.t ADD COLUMN more pg_catalog.text[] DEFAULT ''{a,b}'''),
    ('UPDATE safe.t SET more = ''{c}'''),
    ('TRUNCATE safe.t'),
    ('CREATE TYPE safe.mood AS ENUM (''low'', ''high'')'),
    ('CREATE TABLE safe.p (id integer PRIMARY KEY, mood safe.mood) PARTITION BY RANGE (id)'),
    ('CREATE TABLE safe.p1 PARTITION OF safe.p FOR VALUES FROM (0) TO (10)'),
    ('INSERT INTO safe.p VALUES (1, ''low'')'),
    ('SELECT planted.create_chain(''ledger''::pg_catalog.text, 3)'),
    ('SELECT planted.audit_attach(''safe.p''::pg_catalog.regclass, ''p''::pg_catalog.text, ''ledger''::pg_catalog.text, NULL::pg_catalog.text[], NULL::pg_catalog.text[], ''hash''::pg_catalog.text, ''{}''::pg_catalog.text[], true, false, false)'),
    ('CALL planted.audit_backfill(''safe.p''::pg_catalog.regclass, 10)'),
    ('CREATE TABLE safe.p2 PARTITION OF safe.p FOR VALUES FROM (10) TO (20)'),
    ('CREATE TABLE safe.p3 (id integer PRIMARY KEY, mood safe.mood)'),
    ('INSERT INTO safe.p3 VALUES (21, ''high'')'),
    ('ALTER TABLE safe.p ATTACH PARTITION safe.p3 FOR VALUES FROM (20) TO (30)'),
    ('ALTER TABLE safe.p DETACH PARTITION safe.p2'),
    ('INSERT INTO safe.p VALUES (2, ''high'')'),
    ('ALTER TABLE safe.p RENAME COLUMN mood TO humour'),
    ('SELECT planted.audit_chain_append(''note''::pg_catalog.text, ''n1''::pg_catalog.text, ''{"by": "hand"}''::pg_catalog.jsonb, ''main''::pg_catalog.text)'),
    ('SELECT planted.audit_flush()'),
    ('SELECT * FROM planted.verify_chain(NULL::pg_catalog.text, 1::bigint, NULL::bigint)'),
    ('SELECT * FROM planted.verify_chain(''ledger''::pg_catalog.text, 2::bigint, 100::bigint)'),
    ('SELECT * FROM planted.chain_findings(NULL::pg_catalog.text, 1::bigint, NULL::bigint)'),
    ('SELECT * FROM planted.chain_heads(NULL::pg_catalog.text)'),
    ('SELECT * FROM planted.verify_table(''safe.t''::pg_catalog.regclass, NULL::bigint, NULL::pg_catalog.text)'),
    ('SELECT * FROM planted.verify_table_findings(''safe.p''::pg_catalog.regclass, NULL::bigint, NULL::pg_catalog.text)'),
    ('SELECT * FROM planted.audit_history(''safe.t''::pg_catalog.regclass, VARIADIC ''{1}''::pg_catalog.text[])'),
    ('SELECT * FROM auditspine.removals(''t''::pg_catalog.text)'),
    ('SELECT * FROM planted.verify_all(NULL::pg_catalog.text)'),
    ('SELECT * FROM planted.verify_all(''last''::pg_catalog.text)'),
    ('SELECT * FROM auditspine.audited_table'),
    ('SELECT planted.canonical_json(''{"a": [1, 2.50]}''::pg_catalog.jsonb), planted.canonical_json_hash(''{"a": 1}''::pg_catalog.text), planted.canonical_row_hash(t::pg_catalog.record) FROM safe.t AS t'),
    ('SELECT planted.spine_root_hash(''sha256:0000000000000000000000000000000000000000000000000000000000000000''::pg_catalog.text)'),
    ('SELECT planted.create_proof_spine_schema(''spines''::pg_catalog.text)'),
    ('SELECT planted.create_spine(''artifact''::pg_catalog.text, ''CVE-1''::pg_catalog.text, ''policy''::pg_catalog.text, ''not_affected''::pg_catalog.text, ''run''::pg_catalog.text, ''[{"segment_type": "SbomSlice", "input_hash": "sha256:1111111111111111111111111111111111111111111111111111111111111111", "result_hash": "sha256:2222222222222222222222222222222222222222222222222222222222222222", "tool_id": "t", "tool_version": "1", "envelope_json": {"payloadType": "t", "payload": "", "signatures": [{"keyid": "k", "sig": "AAAA"}]}}]''::pg_catalog.jsonb, NULL::pg_catalog.text, ''spines''::pg_catalog.text)'),
    ('SELECT * FROM planted.verify_spines(NULL::pg_catalog.text, ''spines''::pg_catalog.text, true)'),
    ('SELECT planted.trust_key(E''-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n''::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.timestamptz, NULL::pg_catalog.timestamptz)'),
    ('SELECT planted.grant_auditor(''regress_auditspine_reader''::pg_catalog.regrole, NULL::pg_catalog.text, NULL::pg_catalog.text)'),
    ('SET ROLE regress_auditspine_reader'),
    ('SELECT * FROM planted.verify_chain(NULL::pg_catalog.text, 1::bigint, NULL::bigint)'),
    ('RESET ROLE'),
    ('SELECT planted.revoke_auditor(''regress_auditspine_reader''::pg_catalog.regrole)'),
    ('SELECT planted.audit_detach(''safe.p''::pg_catalog.regclass)'),
    ('SELECT planted.audit_detach(''safe.t''::pg_catalog.regclass)'),
    ('SET search_path = pg_catalog');
CREATE ROLE regress_auditspine_reader;

-- Each release, updated; and a fresh install, twice.
SET SESSION AUTHORIZATION regress_auditspine_planter;
CALL tools.plant(false);
RESET SESSION AUTHORIZATION;
SELECT count(*) > 1000 AS many FROM pg_proc WHERE pronamespace = 'planted'::regnamespace;

-- Each release, updated.
SELECT format('CREATE EXTENSION auditspine SCHEMA planted VERSION %L', v) AS install,
       'SELECT count(*) > 0 AS bound FROM tools.bound',
       'ALTER EXTENSION auditspine UPDATE',
       'SELECT extversion, object, uses FROM pg_extension LEFT JOIN tools.bound ON true WHERE extname = ''auditspine''',
       'SET search_path = planted, pg_catalog',
       'SELECT pg_catalog.count(*) AS audited FROM auditspine.audited_table',
       'SET search_path = pg_catalog',
       'DROP EXTENSION auditspine'
FROM unnest('{0.1.0,0.2.0,0.3.0,0.4.0}'::text[]) AS v \gexec
SELECT is_called AS sprung FROM planted.sprung;

-- A fresh install beside everything that there is to plant, twice, in use.
DROP OWNED BY regress_auditspine_planter CASCADE;
CREATE SCHEMA planted AUTHORIZATION regress_auditspine_planter;
SET SESSION AUTHORIZATION regress_auditspine_planter;
CREATE SEQUENCE planted.sprung;
GRANT USAGE ON SCHEMA planted TO PUBLIC;
GRANT USAGE ON SEQUENCE planted.sprung TO PUBLIC;
CALL tools.plant(true);
RESET SESSION AUTHORIZATION;
CREATE EXTENSION auditspine SCHEMA planted;
CREATE EXTENSION IF NOT EXISTS auditspine SCHEMA planted;
SELECT * FROM tools.bound;
DROP EXTENSION auditspine;
CREATE EXTENSION auditspine SCHEMA planted;
SELECT * FROM tools.bound;
\o /dev/null
SELECT command FROM tools.step ORDER BY step \gexec
\o
SELECT * FROM tools.bound;
SELECT is_called AS sprung FROM planted.sprung;
SELECT count(*) > 20 AS recorded FROM auditspine.audit_chain;

-- Beside functions of ours, others of their names: with fewer arguments, so that none of ours has to be left out, or with
-- texts, so that none has to be found a type.
DROP SCHEMA safe, spines CASCADE;
SELECT planted.install_blueprint(name::text, name || '_blueprint') FROM unnest('{findings,scidex,proofspine}'::text[]) AS name;
CREATE PROCEDURE tools.plant_namesakes() LANGUAGE plpgsql AS $p$
DECLARE
    one record;
BEGIN
    SET LOCAL check_function_bodies = off;
    FOR one IN
        WITH own AS (
            SELECT p.proname AS name, p.pronargs, p.pronargdefaults, p.proargtypes::oid[] AS types
            FROM pg_depend AS d JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
            WHERE d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'auditspine')
              AND p.pronamespace = 'planted'::regnamespace AND p.prokind IN ('f', 'p'))
        SELECT name, types FROM (
            SELECT name, ARRAY(SELECT t FROM unnest(types[0:k - 1]) AS t) AS types FROM own CROSS JOIN LATERAL generate_series(pronargs - pronargdefaults, pronargs - 1) AS k
            UNION
            SELECT name, array_fill(t::oid, ARRAY[k]) FROM own
            CROSS JOIN LATERAL generate_series(greatest(pronargs - pronargdefaults, 1), pronargs + 1) AS k
            CROSS JOIN unnest('{pg_catalog.text,pg_catalog.name,pg_catalog.anyelement,pg_catalog.jsonb}'::regtype[]) AS t) AS u
        WHERE NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.proname = u.name AND p.pronamespace = 'planted'::regnamespace
                            AND array_to_string(p.proargtypes::oid[], ' ') = array_to_string(u.types, ' '))
    LOOP
        EXECUTE format('CREATE FUNCTION planted.%I(%s) RETURNS pg_catalog.bool %s', one.name,
                       (SELECT coalesce(string_agg(format_type(t, NULL), ', ' ORDER BY place), '')
                        FROM unnest(one.types) WITH ORDINALITY AS u (t, place)),
                       tools.body(one.name, (SELECT string_agg(format_type(t, NULL), ', ') FROM unnest(one.types) AS u (t))));
    END LOOP;
END $p$;
CREATE TABLE tools.before AS SELECT count(*) AS functions FROM pg_proc WHERE pronamespace = 'planted'::regnamespace;
GRANT SELECT ON ALL TABLES IN SCHEMA tools TO PUBLIC;
SET SESSION AUTHORIZATION regress_auditspine_planter;
CALL tools.plant_namesakes();
RESET SESSION AUTHORIZATION;
SELECT count(*) - functions > 100 AS namesakes FROM pg_proc CROSS JOIN tools.before
WHERE pronamespace = 'planted'::regnamespace GROUP BY functions;
-- They are told of before anything is called that may be one of them.
SELECT planted.install_blueprint('zerotrace'::text, NULL::text);
\echo :LAST_ERROR_SQLSTATE
-- What was installed before calls ours.
CREATE SCHEMA safe;
TRUNCATE tools.step;
INSERT INTO tools.step (command) VALUES
    ('SET search_path = planted, pg_catalog'),
    ('CREATE TABLE safe.t (id integer PRIMARY KEY, note pg_catalog.text)'),
    ('SELECT planted.audit_attach(''safe.t''::pg_catalog.regclass, ''t''::pg_catalog.text, ''main''::pg_catalog.text, NULL::pg_catalog.text[], NULL::pg_catalog.text[], ''full''::pg_catalog.text, ''{}''::pg_catalog.text[], true, false, false)'),
    ('INSERT INTO safe.t VALUES (1, ''one'')'),
    ('CREATE TABLE safe.old (seq bigint PRIMARY KEY, event_kind pg_catalog.text, event_pk pg_catalog.text, event_hash pg_catalog.bytea, prev_hash pg_catalog.bytea, chain_hash pg_catalog.bytea, appended_at pg_catalog.timestamptz)'),
    ('INSERT INTO safe.old VALUES (1, ''a'', ''1'', ''\x1111111111111111111111111111111111111111111111111111111111111111'', NULL, pg_catalog.sha256(''\x11111111111111111111111111111111111111111111111111111111111111110000000000000001''::pg_catalog.bytea), NULL)'),
    ('SELECT * FROM planted.adopt_chain(''safe.old''::pg_catalog.regclass, false)'),
    ('SELECT * FROM planted.verify_adopted(''safe.old''::pg_catalog.regclass)'),
    ('SELECT * FROM planted.adopted_findings(''safe.old''::pg_catalog.regclass)'),
    ('SELECT findings_blueprint.start_scan(''project''::pg_catalog.text, NULL::pg_catalog.text)'),
    ('SELECT * FROM findings_blueprint.verdict_history(1::integer)'),
    ('SELECT * FROM scidex_blueprint.window_findings(NULL::pg_catalog.timestamptz, NULL::pg_catalog.timestamptz)'),
    ('SELECT * FROM scidex_blueprint.verify_window(''2020-01-01''::pg_catalog.timestamptz, pg_catalog.now())'),
    ('SELECT * FROM scidex_blueprint.verify_everything()'),
    ('SELECT * FROM scidex_blueprint.verify_files(NULL::pg_catalog.timestamptz)'),
    ('SELECT scidex_blueprint.raise_breaks()'),
    ('SELECT * FROM proofspine_blueprint.verify_proof_spines(NULL::pg_catalog.text, NULL::pg_catalog.text)'),
    ('SELECT * FROM proofspine_blueprint.proof_spine_evidence(''a''::pg_catalog.text, ''v''::pg_catalog.text, ''p''::pg_catalog.text)'),
    ('SET search_path = pg_catalog');
\o /dev/null
SELECT command FROM tools.step ORDER BY step \gexec
\o
SELECT is_called AS sprung FROM planted.sprung;
-- It is one.
SELECT planted.canonical_json_hash('x'::name);
SELECT is_called AS sprung FROM planted.sprung;

-- An object of a name and signature of ours fails the installation.
DROP EXTENSION auditspine CASCADE;
SET SESSION AUTHORIZATION regress_auditspine_planter;
CREATE FUNCTION planted.verify_chain(text, bigint, bigint) RETURNS integer LANGUAGE sql AS 'SELECT 1';
RESET SESSION AUTHORIZATION;
DO $$
BEGIN
    CREATE EXTENSION auditspine SCHEMA planted;
EXCEPTION WHEN duplicate_function THEN
    RAISE WARNING 'not installed: %', SQLSTATE;
END $$;
DROP OWNED BY regress_auditspine_planter CASCADE;
DROP SCHEMA tools, safe, findings_blueprint, scidex_blueprint, proofspine_blueprint CASCADE;
DROP ROLE regress_auditspine_planter, regress_auditspine_reader;
