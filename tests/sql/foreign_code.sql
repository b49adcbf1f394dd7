-- Code that the owner of a table of spines, of an adopted chain or of a schema has put there runs with nobody
-- else's rights.
CREATE ROLE regress_auditspine_planter;
CREATE ROLE regress_auditspine_guest;
GRANT CREATE, USAGE ON SCHEMA public TO regress_auditspine_planter;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_auditspine_planter', current_database()) AS grant \gset
:grant;
GRANT EXECUTE ON FUNCTION create_proof_spine_schema(text), audit_chain_append(), audit_refuse_change(),
    audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean, boolean) TO regress_auditspine_planter;
-- What can be written with foreign rights only; the sequence counts also what is rolled back.
CREATE TABLE sprung (place text, ran_as text);
CREATE SEQUENCE springs;
CREATE FUNCTION spring(place text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'regress_auditspine_planter' THEN
        PERFORM nextval('public.springs');
        INSERT INTO public.sprung VALUES (place, current_user);
    END IF;
    RETURN true;
END $$;
ALTER FUNCTION spring(text) OWNER TO regress_auditspine_planter;
CREATE FUNCTION pg_temp.spine(name text) RETURNS text LANGUAGE sql AS $$
    SELECT create_spine(name, 'v', 'p', 'affected', 'r', jsonb_build_array(jsonb_build_object('segment_type', 'Match',
        'input_hash', repeat('a', 64), 'result_hash', repeat('b', 64), 'tool_id', 't', 'tool_version', '1',
        'envelope_json', '{"payloadType": "x", "payload": "", "signatures": [{"sig": "AAAA"}]}'::jsonb)), schema => 'ev') $$;
CREATE FUNCTION pg_temp.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ': ' || SQLERRM || ' / ' || hint;
END $$;
SET SESSION AUTHORIZATION regress_auditspine_planter;
SELECT create_proof_spine_schema('ev');
SELECT ev.enforce_spine_rules();
CREATE FUNCTION ev.plant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.spring(TG_NAME); RETURN NEW; END $$;
RESET SESSION AUTHORIZATION;
CREATE FUNCTION pg_temp.each() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT 'build: ' || pg_temp.attempt('SELECT pg_temp.spine(gen_random_uuid()::text)')
    UNION ALL SELECT 'verify: ' || pg_temp.attempt('SELECT verify_spines(schema => ''ev'')')
    UNION ALL SELECT 'record: ' || pg_temp.attempt('SELECT verify_spines(schema => ''ev'', record => true)')
    UNION ALL SELECT 'findings: ' || pg_temp.attempt(format('SELECT spine_findings(%L, schema => ''ev'')', (SELECT min(spine_id) FROM ev.proof_spines))) $$;
-- Another's tables as they were made can be used by everybody who may.
SELECT pg_temp.each();

CREATE PROCEDURE pg_temp.planted(plant text, pull text) LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    SET LOCAL ROLE regress_auditspine_planter;
    EXECUTE plant;
    RESET ROLE;
    RAISE NOTICE '%', plant;
    FOR line IN SELECT pg_temp.each() LOOP RAISE NOTICE '    %', line; END LOOP;
    SET LOCAL ROLE regress_auditspine_planter;
    EXECUTE pull;
    RESET ROLE;
END $$;
CALL pg_temp.planted('CREATE TRIGGER a BEFORE INSERT OR UPDATE ON ev.proof_spines FOR EACH ROW EXECUTE FUNCTION ev.plant()', 'DROP TRIGGER a ON ev.proof_spines');
CALL pg_temp.planted('CREATE CONSTRAINT TRIGGER a AFTER INSERT ON ev.proof_segments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ev.plant()', 'DROP TRIGGER a ON ev.proof_segments');
CALL pg_temp.planted('CREATE TRIGGER a BEFORE INSERT OR UPDATE ON ev.proof_spine_verification_cache FOR EACH ROW EXECUTE FUNCTION ev.plant()', 'DROP TRIGGER a ON ev.proof_spine_verification_cache');
CALL pg_temp.planted('ALTER TABLE ev.proof_segments ADD CONSTRAINT a CHECK (public.spring(''check''))', 'ALTER TABLE ev.proof_segments DROP CONSTRAINT a');
CALL pg_temp.planted('ALTER TABLE ev.proof_segments ALTER tool_version SET DEFAULT public.spring(''default'')::text', 'ALTER TABLE ev.proof_segments ALTER tool_version DROP DEFAULT');
-- PostgreSQL's own functions do what their arguments say.
CALL pg_temp.planted('ALTER TABLE ev.proof_segments ADD CONSTRAINT a CHECK (query_to_xml(''SELECT public.spring(''''xml'''')'', true, true, '''') IS NOT NULL)', 'ALTER TABLE ev.proof_segments DROP CONSTRAINT a');
CALL pg_temp.planted('CREATE RULE a AS ON INSERT TO ev.proof_spines DO ALSO SELECT public.spring(''rule'')', 'DROP RULE a ON ev.proof_spines');
CALL pg_temp.planted('CREATE POLICY a ON ev.proof_spines USING (public.spring(''policy'')); ALTER TABLE ev.proof_spines ENABLE ROW LEVEL SECURITY', 'DROP POLICY a ON ev.proof_spines; ALTER TABLE ev.proof_spines DISABLE ROW LEVEL SECURITY');
CALL pg_temp.planted('ALTER FUNCTION public.spring(text) IMMUTABLE; CREATE INDEX a ON ev.proof_segments (public.spring(tool_id)) WHERE public.spring(''predicate'')', 'DROP INDEX ev.a; ALTER FUNCTION public.spring(text) VOLATILE');
CALL pg_temp.planted('CREATE DOMAIN ev.d AS text CHECK (public.spring(''domain'')); ALTER TABLE ev.proof_segments ADD x ev.d', 'ALTER TABLE ev.proof_segments DROP x; DROP DOMAIN ev.d');
CALL pg_temp.planted('ALTER TABLE ev.proof_spine_verification_cache RENAME TO away; CREATE VIEW ev.proof_spine_verification_cache AS SELECT * FROM ev.away WHERE public.spring(''view'')', 'DROP VIEW ev.proof_spine_verification_cache; ALTER TABLE ev.away RENAME TO proof_spine_verification_cache');
SELECT * FROM sprung;

-- A guest's tables in the planter's schema, and something else in the place of one of them: the triggers of the
-- others act with the guest's rights on it.
SET SESSION AUTHORIZATION regress_auditspine_planter;
CREATE SCHEMA house;
GRANT ALL ON SCHEMA house TO regress_auditspine_guest;
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION create_proof_spine_schema(text), audit_chain_append(), audit_refuse_change() TO regress_auditspine_guest;
SET SESSION AUTHORIZATION regress_auditspine_guest;
SELECT pg_temp.attempt('SELECT create_proof_spine_schema(''house'')');
RESET SESSION AUTHORIZATION;
SELECT pg_temp.attempt('SELECT create_proof_spine_schema(''house'')');
SELECT pg_temp.attempt('SELECT install_blueprint(''findings'', ''house'')');
SELECT count(*) FROM pg_class WHERE relnamespace = 'house'::regnamespace;
ALTER TABLE ev.proof_spines OWNER TO regress_auditspine_guest;
GRANT ALL ON ALL TABLES IN SCHEMA ev TO regress_auditspine_guest;
GRANT USAGE ON SCHEMA ev TO regress_auditspine_guest;
SELECT pg_temp.attempt('SELECT pg_temp.spine(''mixed'')');
SELECT * FROM sprung;
ALTER TABLE ev.proof_spines OWNER TO regress_auditspine_planter;
SELECT pg_temp.attempt('SELECT pg_temp.spine(''whole again'')');

-- An adopted chain.
SET SESSION AUTHORIZATION regress_auditspine_planter;
CREATE TYPE kind AS ENUM ('x');
CREATE FUNCTION kind_text(kind) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM public.spring('cast'); RETURN 'x'; END $$;
CREATE CAST (kind AS text) WITH FUNCTION kind_text(kind) AS IMPLICIT;
CREATE TABLE old (seq bigint PRIMARY KEY, event_kind text, event_pk text, event_hash bytea, prev_hash bytea, chain_hash bytea, appended_at timestamptz);
INSERT INTO old SELECT 1, 'x', '1', sha256('a'), decode(repeat('00', 32), 'hex'), sha256(decode(repeat('00', 32), 'hex') || sha256('a') || int8send(1)), now();
CREATE TABLE odd (LIKE old);
ALTER TABLE odd ALTER event_kind TYPE kind USING 'x'::kind;
RESET SESSION AUTHORIZATION;
SELECT pg_temp.attempt('SELECT adopt_chain(''odd'')');
SELECT outcome FROM adopt_chain('old');
SET SESSION AUTHORIZATION regress_auditspine_planter;
ALTER TABLE old RENAME TO away;
CREATE VIEW old AS SELECT * FROM away WHERE spring('view');
RESET SESSION AUTHORIZATION;
SELECT pg_temp.attempt('SELECT verify_adopted(''old'')');
SELECT subject, ok, detail FROM verify_all() WHERE layer = 'adopted';
-- What is constant in an index's predicate is worked out whenever PostgreSQL's own functions look at it.
SET SESSION AUTHORIZATION regress_auditspine_planter;
ALTER FUNCTION spring(text) IMMUTABLE;
CREATE TABLE indexed (id integer PRIMARY KEY, v text);
CREATE INDEX ON indexed (v) WHERE public.spring('index');
CREATE UNIQUE INDEX ON indexed (id) WHERE public.spring('unique index');
CREATE INDEX ON indexed ((public.spring('expression')));
RESET SESSION AUTHORIZATION;
SELECT audit_attach('indexed');
SET SESSION AUTHORIZATION regress_auditspine_planter;
INSERT INTO indexed VALUES (1, 'a');
RESET SESSION AUTHORIZATION;
SELECT max(seq) - 1 AS since FROM auditspine.audit_chain \gset
SELECT pg_temp.attempt('SELECT verify_table(''indexed'')'), pg_temp.attempt('SELECT verify_table_findings(''indexed'')'),
       pg_temp.attempt(format('SELECT verify_all(%L)', :since)), pg_temp.attempt('SELECT verify_all()'),
       pg_temp.attempt('SELECT audit_history(''indexed'', ''1'')'), pg_temp.attempt('SELECT audit_detach(''indexed'')'),
       pg_temp.attempt('SELECT audit_attach(''indexed'', backfill => true)');
SET client_min_messages = warning;
CALL audit_backfill('indexed');
RESET client_min_messages;
ALTER FUNCTION spring(text) VOLATILE;
SELECT * FROM sprung;
SELECT is_called FROM springs;
-- They can spring.
SELECT spring('by hand');
SELECT * FROM sprung;
SELECT is_called FROM springs;
SET client_min_messages = warning;
DROP OWNED BY regress_auditspine_planter, regress_auditspine_guest CASCADE;
DROP ROLE regress_auditspine_planter, regress_auditspine_guest;
