-- Traps of a table owner's wherever PostgreSQL has a place for code of owners. A superuser and an auditor then call
-- every function that the extension has, found in the catalogs, on all of it: no trap springs with their rights.
CREATE ROLE regress_auditspine_trapper;
CREATE ROLE regress_auditspine_caught;
CREATE SCHEMA planted AUTHORIZATION regress_auditspine_trapper;
GRANT USAGE, CREATE ON SCHEMA public TO regress_auditspine_trapper;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_auditspine_trapper', current_database()) AS grant \gset
:grant;
GRANT EXECUTE ON FUNCTION create_proof_spine_schema(text), audit_chain_append(), audit_refuse_change(),
    audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean, boolean) TO regress_auditspine_trapper;
-- A sequence counts what springs with foreign rights, rolled back or not, and a warning says where.
CREATE SEQUENCE springs MINVALUE 0 START 0;
SELECT nextval('springs');
SET SESSION AUTHORIZATION regress_auditspine_trapper;
SET search_path = planted, public;
CREATE FUNCTION spring(place text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_user <> 'regress_auditspine_trapper' THEN
        RAISE WARNING 'sprung: %, as %', place, current_user;
        PERFORM nextval('public.springs');
    END IF;
    RETURN true;
END $$;
CREATE FUNCTION spring_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM planted.spring('trigger ' || TG_NAME); RETURN NEW; END $$;
-- Types, and their casts to what may be asked for.
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (m mood, n integer);
CREATE TYPE span AS RANGE (subtype = mood);
CREATE DOMAIN checked AS text CHECK (planted.spring('domain'));
SELECT format('CREATE FUNCTION %1$s_to_%2$s(%1$s) RETURNS %2$s LANGUAGE plpgsql AS $f$ BEGIN PERFORM planted.spring(''cast of %1$s to %2$s''); RETURN %3$L; END $f$', t, c, CASE c WHEN 'text' THEN 'x' ELSE '1' END),
       format('CREATE CAST (%1$s AS %2$s) WITH FUNCTION %1$s_to_%2$s(%1$s)%3$s', t, c, CASE c WHEN 'text' THEN ' AS IMPLICIT' ELSE '' END)
FROM unnest('{mood,pair,span}'::text[]) AS t, unnest('{json,jsonb,text,int8}'::text[]) AS c \gexec
-- Functions and operators that are a better match than PostgreSQL's.
SELECT format('CREATE FUNCTION %I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM planted.spring(%L); RETURN NULL; END $f$', name, arguments, result, 'function ' || name)
FROM (VALUES ('format', 'text, text', 'text'), ('format', 'text, name, name', 'text'), ('quote_ident', 'name', 'text'), ('convert_to', 'text, text', 'bytea'),
    ('unnest', 'text[]', 'text'), ('count', 'text', 'bigint'), ('sha256', 'text', 'bytea'), ('to_regclass', 'name', 'regclass'),
    ('jsonb_array_elements', 'json', 'jsonb'), ('pg_notify', 'text, json', 'text'), ('now', 'integer', 'timestamptz'), ('lower', 'name', 'text')) AS f (name, arguments, result) \gexec
CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM planted.spring('operator'); RETURN true; END $$;
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = same);
CREATE OPERATOR || (LEFTARG = text, RIGHTARG = text, FUNCTION = same);
-- A table with only types, which others may write to as well, and tables with all the rest.
CREATE TABLE typed (id integer PRIMARY KEY, m mood, p pair, s span, ms mood[], ps pair[]);
CREATE TABLE loaded (id integer PRIMARY KEY DEFAULT 1, v checked, m mood, t text DEFAULT planted.spring('default')::text,
    g boolean GENERATED ALWAYS AS (planted.spring('generated column')) STORED, CHECK (planted.spring('check')));
CREATE INDEX ON loaded ((planted.spring('index expression')));
CREATE INDEX ON loaded (id) WHERE planted.spring('index predicate');
CREATE STATISTICS counted ON (planted.spring('statistics')), id FROM loaded;
CREATE POLICY loaded ON loaded USING (planted.spring('policy')) WITH CHECK (planted.spring('policy'));
ALTER TABLE loaded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE RULE loaded AS ON DELETE TO loaded DO ALSO SELECT planted.spring('rule');
CREATE TRIGGER aaa BEFORE INSERT OR UPDATE ON loaded FOR EACH ROW EXECUTE FUNCTION spring_trigger();
CREATE CONSTRAINT TRIGGER zzz AFTER INSERT OR UPDATE ON loaded DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spring_trigger();
CREATE TABLE parted (LIKE typed, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE INDEX ON parted1 (id) WHERE planted.spring('predicate of a partition');
CREATE TABLE chain_of_old (seq bigint PRIMARY KEY, event_kind mood, event_pk checked, event_hash bytea, prev_hash bytea, chain_hash bytea, appended_at timestamptz);
CREATE TABLE old (seq bigint PRIMARY KEY, event_kind text, event_pk text, event_hash bytea, prev_hash bytea, chain_hash bytea, appended_at timestamptz);
INSERT INTO old SELECT 1, 'x', '1', sha256('a'::bytea), decode(repeat('00', 32), 'hex'), sha256(decode(repeat('00', 32), 'hex') || sha256('a'::bytea) || int8send(1)), now();
CREATE TABLE gone (LIKE old);
SELECT public.create_proof_spine_schema('ev');
SELECT ev.enforce_spine_rules();
SELECT public.create_proof_spine_schema('bare');
CREATE TRIGGER aaa BEFORE INSERT OR UPDATE ON ev.proof_spines FOR EACH ROW EXECUTE FUNCTION spring_trigger();
CREATE CONSTRAINT TRIGGER zzz AFTER INSERT ON ev.proof_segments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spring_trigger();
CREATE TRIGGER aaa BEFORE INSERT OR UPDATE ON ev.proof_spine_verification_cache FOR EACH ROW EXECUTE FUNCTION spring_trigger();
ALTER TABLE ev.proof_segments ADD CHECK (planted.spring('check of segments'));
CREATE INDEX ON ev.proof_spines (verdict) WHERE planted.spring('predicate of spines');
ALTER TABLE bare.proof_segments RENAME TO away;
CREATE VIEW bare.proof_segments AS SELECT * FROM bare.away WHERE planted.spring('view in the place of segments');
RESET SESSION AUTHORIZATION;
SET search_path = public;
SELECT adopt_chain('planted.old') IS NOT NULL AS adopted;
SELECT audit_attach(t) FROM unnest('{planted.typed,planted.loaded,planted.parted}'::regclass[]) AS t;
SET SESSION AUTHORIZATION regress_auditspine_trapper;
INSERT INTO planted.typed VALUES (1, 'sad', ('sad', 1), '[sad,happy]', '{sad}', ARRAY[('sad', 1)::planted.pair]);
INSERT INTO planted.parted TABLE planted.typed;
INSERT INTO planted.loaded (v, m) VALUES ('a', 'sad');
ALTER TABLE planted.old RENAME TO away;
CREATE VIEW planted.old AS SELECT * FROM planted.away WHERE planted.spring('view in the place of an adopted table');
RESET SESSION AUTHORIZATION;
SELECT grant_auditor('regress_auditspine_caught');
GRANT USAGE ON SCHEMA planted, ev, bare TO regress_auditspine_caught;
GRANT SELECT ON ALL TABLES IN SCHEMA planted, ev, bare TO regress_auditspine_caught;
SELECT count(*) > 40 AS planted FROM (
    SELECT oid FROM pg_proc WHERE proowner = 'regress_auditspine_trapper'::regrole
    UNION ALL SELECT oid FROM pg_trigger WHERE tgfoid = 'planted.spring_trigger'::regproc
    UNION ALL SELECT oid FROM pg_operator WHERE oprowner = 'regress_auditspine_trapper'::regrole
    UNION ALL SELECT oid FROM pg_constraint WHERE conbin::text ~ ('funcid ' || 'planted.spring'::regproc::oid)
    UNION ALL SELECT indexrelid FROM pg_index WHERE coalesce(indexprs::text, indpred::text) ~ ('funcid ' || 'planted.spring'::regproc::oid)) AS p;

-- Values for an argument of each type.
CREATE TABLE candidate (type regtype, place serial, value text);
INSERT INTO candidate (type, value)
SELECT 'regclass'::regtype, quote_literal(c.oid::regclass) || '::regclass' FROM pg_class AS c
WHERE relowner = 'regress_auditspine_trapper'::regrole AND relkind IN ('r', 'p', 'v') ORDER BY c.relname, c.oid;
INSERT INTO candidate (type, value) VALUES
    ('text', quote_literal('ev')), ('text', quote_literal('bare')), ('text', quote_literal('main')), ('text', quote_literal('typed')), ('text', quote_literal('1')),
    ('text', quote_literal('findings')), ('text', quote_literal('planted')), ('text', 'NULL'),
    ('text', quote_literal('affected')), ('text[]', 'ARRAY[''id'']'), ('text[]', 'NULL'), ('boolean', 'true'), ('boolean', 'false'),
    ('bigint', '1'), ('bigint', 'NULL'), ('integer', '1'), ('smallint', '1::smallint'), ('jsonb', '''{"a": 1}'''), ('json', '''{"a": 1}'''),
    ('jsonb', '(SELECT jsonb_build_array(jsonb_build_object(''segment_type'', ''Match'', ''input_hash'', repeat(''a'', 64), ''result_hash'', repeat(''b'', 64), ''tool_id'', ''t'', ''tool_version'', ''1'', ''envelope_json'', ''{"payloadType": "x", "payload": "", "signatures": [{"sig": "AAAA"}]}''::jsonb)))'),
    ('bytea', 'sha256(''a''::bytea)'), ('bytea[]', 'ARRAY[sha256(''a''::bytea)]'), ('timestamptz', 'now()'), ('interval', '''1 hour''::interval'),
    ('regrole', '''regress_auditspine_caught''::regrole'), ('name', '''ev'''), ('oid', '1::oid'), ('xid8', '''1''::xid8'), ('uuid', 'gen_random_uuid()'),
    ('record', '(SELECT t FROM planted.typed AS t)'), ('"any"', '(SELECT m FROM planted.typed)'), ('anyelement', '(SELECT t FROM planted.typed AS t)');

-- Calls a function with the values that its arguments' types have, in many combinations; each call is rolled
-- back once all that is deferred has run. Counts calls, and those that raised no error.
CREATE TABLE outcome (caller text, functions integer, calls integer, succeeded integer);
CREATE PROCEDURE call_all(caller text) LANGUAGE plpgsql AS $$
DECLARE
    functions integer := 0;
    calls integer := 0;
    succeeded integer := 0;
    f record;
    statement text;
    round integer;
BEGIN
    FOR f IN
        SELECT p.oid, p.proname, p.prokind, p.pronamespace::regnamespace AS schema,
               ARRAY(SELECT a.type FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, n) ORDER BY n) AS types
        FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
        JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
        WHERE e.extname = 'auditspine' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
            AND p.prokind <> 'a' AND NOT 'internal'::regtype = ANY (p.proargtypes)
        ORDER BY p.proname, p.oid
    LOOP
        functions := functions + 1;
        FOR round IN 0..23 LOOP
            SELECT format('%s %s.%I(%s)', CASE f.prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT count(*) FROM' END, f.schema, f.proname, string_agg(
                   coalesce((SELECT v.value FROM (SELECT value, row_number() OVER (ORDER BY place) - 1 AS at, count(*) OVER () AS of
                                                  FROM candidate WHERE type = t.type) AS v
                             WHERE v.at = (round / CASE WHEN n = 1 THEN 1 ELSE n END + n) % v.of), 'NULL'), ', ' ORDER BY n))
            INTO statement FROM unnest(f.types) WITH ORDINALITY AS t (type, n);
            calls := calls + 1;
            BEGIN
                EXECUTE format('SET LOCAL ROLE %I', caller);
                SET LOCAL search_path = planted, public;
                EXECUTE statement;
                SET CONSTRAINTS ALL IMMEDIATE;
                RAISE EXCEPTION USING ERRCODE = 'TRAPS';
            EXCEPTION
                WHEN SQLSTATE 'TRAPS' THEN succeeded := succeeded + 1;
                WHEN OTHERS THEN NULL;
            END;
        END LOOP;
    END LOOP;
    INSERT INTO outcome VALUES (caller, functions, calls, succeeded);
END $$;
-- What the calls say of themselves differs from run to run.
SET client_min_messages = error;
SET auditspine.verify_lock_timeout = '1s';
SELECT current_user AS super \gset
CALL call_all(:'super');
CALL call_all('regress_auditspine_caught');
-- More than one call of each, and many of the superuser's raise nothing: what they would do is done.
SELECT caller = :'super' AS super, functions > 40 AS all_functions, calls = 24 * functions AS all_calls,
       succeeded > CASE WHEN caller = :'super' THEN 150 ELSE 50 END AS enough_succeed FROM outcome;

SELECT last_value AS sprung FROM springs;

-- Writing, which calls the triggers of ours, and DDL, which calls the event triggers. On these tables only types are
-- of the owner's: triggers and checks of his PostgreSQL itself would run with the rights of whoever writes.
DROP INDEX planted.parted1_id_idx;
SET search_path = planted, public;
INSERT INTO typed VALUES (2, 'sad', ('sad', 2), '[sad,happy]', '{happy}', '{}');
UPDATE typed SET m = 'happy', p = ('happy', 3), id = id + 10;
DELETE FROM typed WHERE id = 12;
INSERT INTO parted VALUES (2, 'sad');
BEGIN;
SAVEPOINT a;
UPDATE parted SET m = 'happy', id = id + 3;
ROLLBACK TO a;
UPDATE parted SET ms = '{sad}';
SELECT public.audit_flush() IS NULL AS flushed;
COMMIT;
TRUNCATE typed;
CREATE TABLE parted2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
ALTER TABLE typed ADD COLUMN more mood;
ALTER TABLE typed RENAME COLUMN more TO less;
ALTER TABLE typed DROP COLUMN less;
ALTER TABLE loaded RENAME COLUMN v TO w;
ALTER TABLE loaded NO FORCE ROW LEVEL SECURITY;
CALL public.audit_backfill('planted.loaded');
CALL public.audit_backfill('planted.parted');
SET SESSION AUTHORIZATION regress_auditspine_trapper;
CREATE TABLE parted3 (LIKE typed INCLUDING ALL);
INSERT INTO parted3 VALUES (21, 'sad');
CREATE INDEX ON parted3 (id) WHERE planted.spring('predicate of a new partition');
ALTER TABLE parted ATTACH PARTITION parted3 FOR VALUES FROM (20) TO (30);
ALTER TABLE parted DETACH PARTITION parted1;
DROP TABLE gone;
RESET SESSION AUTHORIZATION;
SELECT count(*) > 5 AS lines FROM public.verify_all();
SET ROLE regress_auditspine_caught;
SELECT count(*) > 5 AS lines FROM public.verify_all();
RESET ROLE;
SET search_path = public;
-- Nothing has sprung.
SELECT last_value AS sprung FROM springs;
-- They can: what PostgreSQL itself runs for a superuser.
DO $$ BEGIN PERFORM to_jsonb(t) FROM planted.parted AS t; END $$;
SELECT last_value > 0 AS sprung FROM springs;
SELECT revoke_auditor('regress_auditspine_caught') IS NOT NULL AS revoked;
DROP OWNED BY regress_auditspine_trapper, regress_auditspine_caught CASCADE;
DROP ROLE regress_auditspine_trapper, regress_auditspine_caught;
