-- No code of others runs with rights that they lack: as in traps, but what is planted, and what is called with
-- what, is made up from the catalogs. A role without rights plants a trap in every place
-- that PostgreSQL has for one; a superuser and an auditor then call every function of the extension's, as the
-- catalogs list them, with every argument that can be made up, and fire its triggers. A trap that springs
-- with another role's rights counts up a sequence, which no rollback undoes.
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_auditspine_schemer, regress_auditspine_watcher;
CREATE ROLE regress_auditspine_schemer;
CREATE ROLE regress_auditspine_watcher;
SELECT grant_auditor('regress_auditspine_watcher');
CREATE SCHEMA trap AUTHORIZATION regress_auditspine_schemer;
CREATE SCHEMA driver;
DO $$
BEGIN
    EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_auditspine_schemer', current_database());
END $$;
GRANT USAGE ON SCHEMA auditspine TO regress_auditspine_schemer;
GRANT EXECUTE ON FUNCTION audit_chain_append(), audit_refuse_change(), create_proof_spine_schema(text),
    create_spine(text, text, text, text, text, jsonb, text, text) TO regress_auditspine_schemer;

SET SESSION AUTHORIZATION regress_auditspine_schemer;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
-- A function that tells when it runs with other rights than its owner's.
CREATE SEQUENCE trap.ran_as_owner;
GRANT USAGE ON SEQUENCE trap.ran_as_owner TO PUBLIC;
CREATE FUNCTION trap.plant(place text, name text, arguments text, result text, answer text) RETURNS void LANGUAGE plpgsql AS $plant$
BEGIN
    EXECUTE format('CREATE SEQUENCE IF NOT EXISTS trap.%I', 'sprung: ' || place);
    EXECUTE format('GRANT USAGE ON SEQUENCE trap.%I TO PUBLIC', 'sprung: ' || place);
    EXECUTE format($f$CREATE FUNCTION trap.%I(%s) RETURNS %s LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $body$
        DECLARE
            context text;
        BEGIN
            IF current_user <> 'regress_auditspine_schemer' THEN
                GET DIAGNOSTICS context = PG_CONTEXT;
                RAISE WARNING 'trap in %% sprung as %%: %%', %L, current_user, context;
                PERFORM nextval(%L);
            ELSE
                PERFORM nextval('trap.ran_as_owner');
            END IF;
            RETURN %s;
        END $body$ $f$, name, arguments, result, place || ': ' || name, format('trap.%I', 'sprung: ' || place), answer);
END $plant$;

-- Types of his own, with what code there can be about them.
CREATE TYPE trap.mood AS ENUM ('sad', 'happy');
CREATE TYPE trap.pair AS (m trap.mood, n integer);
SELECT trap.plant('domain check', 'domain_check', 'text', 'boolean', 'true');
CREATE DOMAIN trap.word AS text CHECK (trap.domain_check(VALUE));
SELECT trap.plant('domain check', 'number_check', 'bigint', 'boolean', 'true');
CREATE DOMAIN trap.number AS bigint CHECK (trap.number_check(VALUE));
SELECT trap.plant('domain check', 'bytes_check', 'bytea', 'boolean', 'true');
CREATE DOMAIN trap.bytes AS bytea CHECK (trap.bytes_check(VALUE));
SELECT trap.plant('range difference', 'mood_difference', 'trap.mood, trap.mood', 'float8', '0');
CREATE TYPE trap.span AS RANGE (SUBTYPE = trap.mood, SUBTYPE_DIFF = trap.mood_difference);
DO $$
DECLARE
    of text;
    target text;
    answer text;
BEGIN
    FOREACH of IN ARRAY '{mood,pair,span}'::text[] LOOP
        FOR target, answer IN VALUES ('json', '''{}'''), ('jsonb', '''{}'''), ('text', ''''''), ('bytea', ''''''), ('bigint', '1'),
                                     ('integer', '1'), ('boolean', 'true'), ('timestamptz', '''2020-01-01Z''') LOOP
            PERFORM trap.plant('cast to ' || target, format('%s_to_%s', of, target), 'trap.' || of, target, answer);
            EXECUTE format('CREATE CAST (trap.%I AS %s) WITH FUNCTION trap.%I(trap.%I) AS IMPLICIT', of, target, format('%s_to_%s', of, target), of);
        END LOOP;
        PERFORM trap.plant('operator of a type', 'equal_' || of, format('trap.%I, trap.%I', of, of), 'boolean', 'true');
        EXECUTE format('CREATE OPERATOR trap.= (LEFTARG = trap.%I, RIGHTARG = trap.%I, FUNCTION = trap.%I)', of, of, 'equal_' || of);
    END LOOP;
END $$;

-- Tables of his own, with what code there can be on them.
CREATE TABLE trap.typed (id integer PRIMARY KEY, m trap.mood, p trap.pair, w trap.word, s trap.span, ms trap.mood[], ps trap.pair[], n trap.number);
CREATE TABLE trap.keyed (m trap.mood, w trap.word, v integer, PRIMARY KEY (m, w));
CREATE TABLE trap.moody (id integer PRIMARY KEY, m trap.mood, p trap.pair, s trap.span, ms trap.mood[], ps trap.pair[]);
CREATE TABLE trap.parted (id integer PRIMARY KEY, m trap.mood) PARTITION BY RANGE (id);
CREATE TABLE trap.parted_1 PARTITION OF trap.parted FOR VALUES FROM (0) TO (10);
CREATE TABLE trap.parted_2 (id integer PRIMARY KEY, m trap.mood);
CREATE TABLE trap.coded (id integer PRIMARY KEY, v integer);
SELECT trap.plant('default', 'of_default', '', 'integer', '1'),
       trap.plant('generated column', 'of_generated', 'integer', 'integer', '1'),
       trap.plant('check constraint', 'of_check', 'integer', 'boolean', 'true'),
       trap.plant('index expression', 'of_index', 'integer', 'integer', '1'),
       trap.plant('index predicate', 'of_predicate', 'integer', 'boolean', 'true'),
       trap.plant('statistics expression', 'of_statistics', 'integer', 'integer', '1'),
       trap.plant('row trigger', 'of_row', '', 'trigger', 'CASE TG_WHEN WHEN ''BEFORE'' THEN CASE TG_OP WHEN ''DELETE'' THEN OLD ELSE NEW END END'),
       trap.plant('statement trigger', 'of_statement', '', 'trigger', 'NULL'),
       trap.plant('deferred trigger', 'of_deferred', '', 'trigger', 'NULL'),
       trap.plant('trigger condition', 'of_when', 'integer', 'boolean', 'true'),
       trap.plant('policy', 'of_policy', '', 'boolean', 'true'),
       trap.plant('rule', 'of_rule', '', 'integer', '1'),
       trap.plant('view', 'of_view', '', 'boolean', 'true'),
       trap.plant('materialized view', 'of_materialized', '', 'boolean', 'true');
-- Each of them, on a table that has an integer column.
CREATE PROCEDURE trap.plant_on(target text, number text) LANGUAGE plpgsql AS $plant$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY[
        'ALTER TABLE %1$s ADD of_default integer DEFAULT trap.of_default()',
        'ALTER TABLE %1$s ADD of_generated integer GENERATED ALWAYS AS (trap.of_generated(%2$I)) STORED',
        'ALTER TABLE %1$s ADD CONSTRAINT of_check CHECK (trap.of_check(%2$I))',
        'CREATE INDEX ON %1$s (trap.of_index(%2$I))',
        'CREATE INDEX ON %1$s (%2$I) WHERE trap.of_predicate(%2$I)',
        'CREATE STATISTICS trap.%3$I ON trap.of_statistics(%2$I), %2$I FROM %1$s',
        'CREATE TRIGGER of_row_before BEFORE INSERT OR UPDATE OR DELETE ON %1$s FOR EACH ROW EXECUTE FUNCTION trap.of_row()',
        'CREATE TRIGGER of_row_after AFTER INSERT OR UPDATE OR DELETE ON %1$s FOR EACH ROW EXECUTE FUNCTION trap.of_row()',
        'CREATE TRIGGER of_statement_before BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %1$s EXECUTE FUNCTION trap.of_statement()',
        'CREATE TRIGGER of_statement_after AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %1$s EXECUTE FUNCTION trap.of_statement()',
        'CREATE CONSTRAINT TRIGGER of_deferred AFTER INSERT OR UPDATE OR DELETE ON %1$s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trap.of_deferred()',
        'CREATE TRIGGER of_when BEFORE UPDATE ON %1$s FOR EACH ROW WHEN (trap.of_when(NEW.%2$I)) EXECUTE FUNCTION trap.of_row()',
        'ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY',
        'ALTER TABLE %1$s FORCE ROW LEVEL SECURITY',
        'CREATE POLICY of_policy ON %1$s USING (trap.of_policy()) WITH CHECK (trap.of_policy())',
        'CREATE RULE of_rule_insert AS ON INSERT TO %1$s DO ALSO SELECT trap.of_rule()',
        'CREATE RULE of_rule_update AS ON UPDATE TO %1$s DO ALSO SELECT trap.of_rule()',
        'CREATE RULE of_rule_delete AS ON DELETE TO %1$s DO ALSO SELECT trap.of_rule()'] LOOP
        EXECUTE format(statement, target, number, 'statistics of ' || target);
    END LOOP;
END $plant$;
CREATE TABLE trap.parent (id integer PRIMARY KEY, v integer);
CREATE TABLE trap.child (w trap.word, m trap.mood, PRIMARY KEY (id)) INHERITS (trap.parent);
INSERT INTO trap.typed VALUES (1, 'sad', ('sad', 1), 'a', '[sad,happy]', '{sad}', ARRAY[('sad', 1)::trap.pair], 1);
INSERT INTO trap.keyed VALUES ('sad', 'a', 1);
INSERT INTO trap.moody VALUES (1, 'sad', ('sad', 1), '[sad,happy]', '{sad}', ARRAY[('sad', 1)::trap.pair]);
INSERT INTO trap.parted VALUES (1, 'sad');
INSERT INTO trap.parted_2 VALUES (11, 'sad');
INSERT INTO trap.coded VALUES (1, 1);
INSERT INTO trap.child VALUES (1, 1, 'a', 'sad');
CREATE VIEW trap.view AS SELECT * FROM trap.typed WHERE trap.of_view();
CREATE MATERIALIZED VIEW trap.materialized AS SELECT id FROM trap.typed WHERE trap.of_materialized();

-- Chains of the older shape, of such types and with such code.
CREATE FUNCTION trap.older(name text, number text, word text, mood text, bytes text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE trap.%I (seq %s, event_kind %s, event_pk %s, event_hash %s, prev_hash %s, chain_hash %s, appended_at timestamptz)',
                   name, number, word, mood, bytes, bytes, bytes);
    EXECUTE format($f$INSERT INTO trap.%I VALUES (1, 'a', 'sad', sha256('e'), sha256('p'), sha256(sha256('p') || sha256('e') || int8send(1)), '2020-01-01Z')$f$, name);
END $$;
SELECT trap.older('older', 'bigint', 'text', 'text', 'bytea'), trap.older('older_typed', 'trap.number', 'trap.word', 'trap.mood', 'trap.bytes'),
       trap.older('older_coded', 'integer', 'text', 'text', 'bytea');
CREATE VIEW trap.older_view AS SELECT * FROM trap.older WHERE trap.of_view();

-- Spines of his own.
CREATE SCHEMA trap_spines;
GRANT USAGE ON SCHEMA trap_spines TO PUBLIC;
SELECT public.create_proof_spine_schema('trap_spines');
SELECT trap_spines.enforce_spine_rules();
GRANT ALL ON ALL TABLES IN SCHEMA trap_spines TO PUBLIC;
SET SESSION AUTHORIZATION DEFAULT;
-- The same, of a superuser, and of which he takes over the schema.
SELECT create_proof_spine_schema('spines_lost'), create_proof_spine_schema('segments_lost'), create_proof_spine_schema('views_lost'),
       create_proof_spine_schema('spines_kept');
SELECT spines_lost.enforce_spine_rules(), segments_lost.enforce_spine_rules(), views_lost.enforce_spine_rules(), spines_kept.enforce_spine_rules();
CREATE FUNCTION driver.spine(schema text) RETURNS text LANGUAGE sql AS $$
    SELECT public.create_spine('pkg', 'CVE-1', 'strict', 'affected', 'run',
        format('[{"segment_type": "SbomSlice", "input_hash": "%s", "result_hash": "%s", "envelope_json": {"payload": "e30=", "payloadType": "t", "signatures": [{"keyid": "k", "sig": "e30="}]}, "tool_id": "t", "tool_version": "1"}]',
               repeat('1', 64), repeat('2', 64))::jsonb, NULL, schema) $$;
SELECT count(driver.spine(schema)) FROM unnest('{trap_spines,spines_lost,segments_lost,views_lost,spines_kept}'::text[]) AS schema;
SELECT audit_attach(t) FROM unnest('{trap.typed,trap.moody,trap.keyed,trap.parted,trap.coded,trap.parent,trap.child}'::regclass[]) AS t;
SELECT outcome FROM unnest('{trap.older,trap.older_coded}'::regclass[]) AS t, adopt_chain(t);
SELECT outcome FROM adopt_chain('trap.older_typed');
SELECT install_blueprint(name, 'trap_' || name) FROM auditspine.blueprint;
ALTER SCHEMA spines_lost OWNER TO regress_auditspine_schemer;
ALTER SCHEMA segments_lost OWNER TO regress_auditspine_schemer;
ALTER SCHEMA views_lost OWNER TO regress_auditspine_schemer;

SET SESSION AUTHORIZATION regress_auditspine_schemer;
CALL trap.plant_on('trap.coded', 'v');
CALL trap.plant_on('trap.older_coded', 'seq');
CALL trap.plant_on('trap_spines.proof_spines', 'segment_count');
CALL trap.plant_on('trap_spines.proof_segments', 'idx');
ALTER TABLE trap_spines.proof_spine_verification_cache ADD n integer;
CALL trap.plant_on('trap_spines.proof_spine_verification_cache', 'n');
CREATE SCHEMA IF NOT EXISTS trap_look;
-- What he puts in the place of tables beside those of others.
DROP TABLE spines_lost.proof_spines CASCADE;
CREATE TABLE spines_lost.proof_spines (spine_id text PRIMARY KEY, artifact_id text, vuln_id text, policy_profile_id text, verdict text, verdict_reason text,
    root_hash text, scan_run_id text, segment_count integer DEFAULT 0, created_at_utc timestamptz, superseded_by_spine_id text, managed boolean);
CALL trap.plant_on('spines_lost.proof_spines', 'segment_count');
DROP TABLE segments_lost.proof_segments CASCADE;
CREATE TABLE segments_lost.proof_segments (segment_id text, spine_id trap.word, idx integer, segment_type text, input_hash text, result_hash text,
    prev_segment_hash text, envelope_json text, tool_id text, tool_version text, status text, created_at_utc timestamptz);
CALL trap.plant_on('segments_lost.proof_segments', 'idx');
DROP TABLE views_lost.proof_spines, views_lost.proof_spine_history CASCADE;
CREATE VIEW views_lost.proof_spines AS SELECT * FROM trap_spines.proof_spines WHERE trap.of_view();
CREATE VIEW views_lost.proof_spine_history AS SELECT * FROM trap_spines.proof_spine_history WHERE trap.of_view();
DO $$
DECLARE
    target regclass;
BEGIN
    FOR target IN SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text IN ('spines_lost', 'segments_lost', 'views_lost')
                  AND relkind IN ('r', 'v') AND relowner = 'regress_auditspine_schemer'::regrole LOOP
        EXECUTE format('GRANT ALL ON %s TO PUBLIC', target);
    END LOOP;
END $$;
-- Namesakes of PostgreSQL's own objects, for whoever looks names up by the path of the caller.
DO $$
DECLARE
    o record;
    known regtype[] := '{text,name,oid,int2,int4,int8,bool,bytea,jsonb,json,"char",timestamptz,text[],oid[],regclass,regrole,float8,uuid,interval}';
BEGIN
    FOR o IN SELECT oprname, oprleft::regtype AS l, oprright::regtype AS r, oprresult::regtype AS result, row_number() OVER (ORDER BY oid) AS number
             FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b'
               AND oprleft = ANY (known) AND oprright = ANY (known) AND oprresult = ANY (known) LOOP
        PERFORM trap.plant('namesake of an operator', 'operator_' || o.number, format('%s, %s', o.l, o.r), o.result::text, 'NULL');
        EXECUTE format('CREATE OPERATOR trap.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trap.%I)', o.oprname, o.l, o.r, 'operator_' || o.number);
    END LOOP;
    FOR o IN SELECT p.oid, proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments, prorettype::regtype AS result
             FROM pg_proc AS p WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind IN ('f', 'a') AND NOT proretset
               AND provariadic = 0 AND pronargs <= 4 AND NOT EXISTS (SELECT FROM pg_aggregate AS a WHERE a.aggfnoid = p.oid AND a.aggkind <> 'n') AND prorettype = ANY (known) AND proallargtypes IS NULL
               AND (SELECT bool_and(t = ANY (known)) IS NOT FALSE FROM unnest(proargtypes) AS t) LOOP
        PERFORM trap.plant('namesake of a function', o.name, o.arguments, o.result::text, 'NULL');
    END LOOP;
    PERFORM trap.plant('namesake of a catalog', 'of_catalog', '', 'boolean', 'true');
    FOR o IN SELECT relname AS name FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
             AND has_table_privilege(oid, 'SELECT') AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND atttypid = 'anyarray'::regtype) LOOP
        EXECUTE format('CREATE VIEW trap.%I AS SELECT * FROM pg_catalog.%I WHERE trap.of_catalog()', o.name, o.name);
        EXECUTE format('GRANT SELECT ON trap.%I TO PUBLIC', o.name);
    END LOOP;
    FOR o IN SELECT t::text AS name FROM unnest('{text,name,oid,bytea,jsonb,json,regclass,timestamptz,xid8,int4,int8,bool}'::text[]) AS t LOOP
        PERFORM trap.plant('namesake of a type', 'of_type_' || o.name, 'pg_catalog.' || o.name, 'pg_catalog.bool', 'true');
        EXECUTE format('CREATE DOMAIN trap.%I AS pg_catalog.%I CHECK (trap.%I(VALUE))', o.name, o.name, 'of_type_' || o.name);
    END LOOP;
END $$;
-- Our own functions, matching better or as well.
DO $$
DECLARE
    o record;
BEGIN
    FOR o IN SELECT proname AS name, pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments, prorettype::pg_catalog.regtype AS result
             FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_proc AS p ON p.oid = d.objid AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
             WHERE d.deptype = 'e' AND d.refobjid = (SELECT e.oid FROM pg_catalog.pg_extension AS e WHERE extname = 'auditspine')
               AND prokind = 'f' AND NOT proretset AND prorettype <> ALL ('{trigger,event_trigger,internal,void,record}'::pg_catalog.regtype[])
               AND NOT EXISTS (SELECT FROM unnest(proargtypes) AS t WHERE t = ANY ('{internal,record}'::pg_catalog.regtype[])) LOOP
        PERFORM trap.plant('namesake of ours', o.name, o.arguments, o.result::pg_catalog.text, 'NULL');
    END LOOP;
END $$;
SET SESSION AUTHORIZATION DEFAULT;

-- What there is to call, and with what.
CREATE FUNCTION driver.sprung() RETURNS bigint LANGUAGE sql SET search_path = pg_catalog AS $$
    SELECT coalesce(sum(last_value), 0) FROM pg_sequences WHERE schemaname = 'trap' AND sequencename LIKE 'sprung: %' $$;
CREATE TABLE driver.value (type regtype, expression text, parameter text, number integer GENERATED ALWAYS AS IDENTITY);
INSERT INTO driver.value (type, expression)
    SELECT 'regclass', format('%L::pg_catalog.regclass', c.oid::text) FROM pg_class AS c
    WHERE relkind IN ('r', 'p', 'v', 'm') AND (relnamespace::regnamespace::text IN ('trap_spines', 'spines_lost', 'segments_lost', 'views_lost')
        OR (relnamespace = 'trap'::regnamespace AND relname NOT LIKE 'pg\_%')) ORDER BY relnamespace::regnamespace::text = 'trap' DESC, relname;
INSERT INTO driver.value (type, expression)
    SELECT 'text', CASE WHEN v IS NULL THEN 'NULL::pg_catalog.text' ELSE format('%L::pg_catalog.text', v) END
    FROM unnest(ARRAY[NULL, 'spines_lost', 'segments_lost', 'views_lost', 'trap_spines', 'spines_kept', 'trap', 'typed', 'main', 'findings', 'true', '1',
                      (SELECT spine_id::text FROM spines_kept.proof_spines)]) AS v;
INSERT INTO driver.value (type, expression) VALUES
    ('boolean', 'true'), ('boolean', 'false'), ('integer', '1'), ('integer', '100'), ('bigint', 'NULL::pg_catalog.int8'), ('bigint', '1::pg_catalog.int8'),
    ('jsonb', (SELECT format('%L::pg_catalog.jsonb', '[{"segment_type": "SbomSlice", "input_hash": "' || repeat('1', 64) || '", "result_hash": "' || repeat('3', 64)
        || '", "envelope_json": {"payload": "e30=", "payloadType": "t", "signatures": [{"keyid": "k", "sig": "e30="}]}, "tool_id": "t", "tool_version": "1"}]'))),
    ('jsonb', '''{}''::pg_catalog.jsonb'), ('text[]', 'NULL::pg_catalog.text[]'), ('text[]', '''{1}''::pg_catalog.text[]'), ('text[]', '''{sad,a}''::pg_catalog.text[]'),
    ('text[]', '''{m}''::pg_catalog.text[]'), ('bytea', '''\x00''::pg_catalog.bytea'), ('timestamptz', 'pg_catalog.now()'),
    ('regrole', '''regress_auditspine_watcher''::pg_catalog.regrole'), ('record', '(SELECT t FROM trap.typed AS t)'), ('record', '(SELECT t FROM trap.keyed AS t)');
-- Of parameters that have a meaning of their own.
INSERT INTO driver.value (type, parameter, expression)
    SELECT p.type::regtype, p.name, format('%L::%s', v, p.type)
    FROM (VALUES ('pg_catalog.text', 'schema', '{NULL,spines_lost,segments_lost,views_lost,trap_spines,spines_kept,trap}'::text[]),
                 ('pg_catalog.text', 'where', '{NULL,true}'), ('pg_catalog.text', 'name', '{findings,proofspine,scidex,stellaops,zerotrace,made_up}'),
                 ('pg_catalog.text', 'spine_id', (SELECT array_agg(spine_id::text) FROM spines_kept.proof_spines)),
                 ('pg_catalog.text', 'pem', ARRAY[E'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAeGVygzLgOmO2RCtC75jusdS+/R6cUDK4PXD2Tl9VGlA=\n-----END PUBLIC KEY-----\n']), ('pg_catalog.text', 'artifact_id', '{pkg}'), ('pg_catalog.text', 'vuln_id', '{CVE-1,CVE-2}'),
                 ('pg_catalog.text', 'policy_profile_id', '{strict}'), ('pg_catalog.text', 'verdict', '{affected}'), ('pg_catalog.text', 'payload', '{full,hash}'),
                 ('pg_catalog.text', 'kind', '{NULL,made_up}'), ('pg_catalog.text', 'chain', '{NULL,main}'), ('pg_catalog.text[]', 'pk', '{NULL,"{id}"}'),
                 ('pg_catalog.text[]', 'exclude', '{NULL}'), ('pg_catalog.text[]', 'chain_by', '{NULL,"{m}"}')) AS p (type, name, choices),
         unnest(p.choices) WITH ORDINALITY AS c (v, place) ORDER BY p.name, place;
INSERT INTO driver.value (type, parameter, expression)
    SELECT type, 'segments', expression FROM driver.value WHERE type = 'jsonb'::regtype ORDER BY number LIMIT 1;
CREATE VIEW driver.function AS
    SELECT p.oid, p.pronamespace::regnamespace || '.' || quote_ident(proname) AS name, prokind AS kind,
           coalesce((SELECT array_agg(t.type::regtype ORDER BY place) FROM unnest(proargtypes) WITH ORDINALITY AS t (type, place)), '{}') AS types,
           coalesce(proargnames, '{}') AS parameters, provariadic <> 0 AS variadic
    FROM pg_depend AS d JOIN pg_proc AS p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
    WHERE d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'auditspine')
      AND prokind <> 'p' AND prorettype <> ALL ('{trigger,event_trigger,internal}'::regtype[]) AND NOT proargtypes::oid[] @> ARRAY['internal'::regtype::oid];
CREATE TABLE driver.result (caller text, function text, calls integer DEFAULT 0, failed integer DEFAULT 0, sprung bigint DEFAULT 0);
GRANT USAGE ON SCHEMA driver TO PUBLIC;
-- Calls one function with all arguments, each call by itself and taken back; the path has the traps first.
CREATE FUNCTION driver.call(caller text, function driver.function) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    most CONSTANT integer := 48;
    total bigint := 1;
    of_type text[];
    counts integer[] := '{}';
    choice text[];
    choices jsonb := '[]';
    stride bigint;
    arguments text[];
    statement text;
    before bigint;
    done driver.result;
BEGIN
    done := ROW (caller, function.oid::regprocedure, 0, 0, 0);
    FOR place IN 1 .. cardinality(function.types) LOOP
        choice := ARRAY(SELECT expression FROM driver.value WHERE type = function.types[place] AND parameter = function.parameters[place] ORDER BY number);
        IF choice = '{}' THEN
            choice := ARRAY(SELECT expression FROM driver.value WHERE type = function.types[place] AND parameter IS NULL ORDER BY number);
        END IF;
        choices := choices || jsonb_build_array(to_jsonb(choice));
        counts := counts || cardinality(choice);
        IF counts[place] = 0 THEN
            RAISE EXCEPTION 'no values of type % for %', function.types[place], function.name;
        END IF;
        total := total * counts[place];
    END LOOP;
    FOR nth IN 0 .. least(most, total) - 1 LOOP
        arguments := '{}';
        stride := 1;
        FOR place IN 1 .. cardinality(function.types) LOOP
            arguments := arguments || (CASE WHEN function.variadic AND place = cardinality(function.types) THEN 'VARIADIC ' ELSE '' END
                || (choices -> (place - 1) ->> ((nth / stride) % counts[place])::integer));
            -- Every value of the first that have many, and ever other ones of the rest.
            stride := CASE WHEN stride * counts[place] > most THEN 1 ELSE stride * counts[place] END;
        END LOOP;
        statement := format(CASE function.kind WHEN 'a' THEN 'SELECT %s(%s)' ELSE 'SELECT * FROM %s(%s)' END, function.name, array_to_string(arguments, ', '));
        before := driver.sprung();
        done.calls := done.calls + 1;
        BEGIN
            IF caller <> 'superuser' THEN
                EXECUTE format('SET LOCAL ROLE %I', caller);
            END IF;
            PERFORM pg_catalog.set_config('search_path', 'trap, pg_catalog, public', true);
            EXECUTE statement;
            SET CONSTRAINTS ALL IMMEDIATE;
            RAISE SQLSTATE 'TRAPS';
        EXCEPTION
            WHEN SQLSTATE 'TRAPS' THEN NULL;
            WHEN OTHERS THEN done.failed := done.failed OPERATOR(pg_catalog.+) 1;
        END;
        done.sprung := done.sprung + (driver.sprung() - before);
    END LOOP;
    INSERT INTO driver.result SELECT done.*;
END $$;
\set ECHO none
\o /dev/null
SELECT format('SELECT driver.call(%L, f) FROM driver.function AS f WHERE oid = %s', caller, oid)
FROM driver.function, unnest('{superuser,regress_auditspine_watcher}'::text[]) AS caller ORDER BY caller, name, oid \gexec
\o
\set ECHO all
-- Procedures end transactions.
SELECT format('CALL audit_backfill(%L)', t) FROM unnest('{trap.typed,trap.moody,trap.parted,trap.coded,trap.parent,trap.child,trap_spines.proof_spines}'::regclass[]) AS t \gexec
-- Triggers of ours and event triggers, fired by a superuser and by the trapper himself. What he puts on his own tables, and checks of
-- his domains, PostgreSQL itself runs with the rights of whoever writes; so these tables have but other types of his.
CREATE FUNCTION driver.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'trap, pg_catalog, public', true);
    EXECUTE statement;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLERRM;
END $$;
CREATE TABLE driver.statement (number integer GENERATED ALWAYS AS IDENTITY, statement text, by_owner_only boolean DEFAULT false);
GRANT SELECT ON driver.statement TO PUBLIC;
INSERT INTO driver.statement (statement) VALUES
    ($$INSERT INTO trap.moody VALUES (2, 'happy', ('sad', 1), '[sad,happy]', '{sad}', '{}')$$),
    ($$UPDATE trap.moody SET m = 'happy'$$),
    ($$UPDATE trap.moody SET id = id OPERATOR(pg_catalog.+) 10$$),
    ($$DELETE FROM trap.moody$$),
    ($$TRUNCATE trap.moody$$),
    ($$INSERT INTO trap.parted VALUES (3, 'sad')$$),
    ($$UPDATE trap.parted SET m = 'happy'$$),
    ($$TRUNCATE trap.parted_1$$);
INSERT INTO driver.statement (statement)
    SELECT format(CASE n WHEN 1 THEN 'INSERT INTO %1$s.%2$I SELECT * FROM spines_kept.%2$I'
                         WHEN 2 THEN 'UPDATE %1$s.%2$I SET spine_id = spine_id'
                         WHEN 3 THEN 'UPDATE %1$s.%2$I SET superseded_by_spine_id = spine_id'
                         WHEN 4 THEN 'UPDATE %1$s.%2$I SET status = ''verified'''
                         WHEN 5 THEN 'DELETE FROM %1$s.%2$I'
                         WHEN 6 THEN 'TRUNCATE %1$s.%2$I CASCADE' END, nspname, relname)
    FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = relnamespace, generate_series(1, 6) AS n
    WHERE nspname LIKE '%\_lost' AND relkind = 'r' AND relowner <> 'regress_auditspine_schemer'::regrole ORDER BY nspname, relname, n;
INSERT INTO driver.statement (statement, by_owner_only) VALUES
    ('ALTER TABLE trap.parted ATTACH PARTITION trap.parted_2 FOR VALUES FROM (10) TO (20)', true),
    ('CREATE TABLE trap.parted_3 PARTITION OF trap.parted FOR VALUES FROM (20) TO (30)', true),
    ('ALTER TABLE trap.parted_3 ADD CHECK (trap.of_check(id))', true),
    ('ALTER TABLE trap.parted ADD extra trap.word DEFAULT ''a''', true),
    ('ALTER TABLE trap.parted ADD more integer DEFAULT trap.of_default()', true),
    ('ALTER TABLE trap.parted ALTER m TYPE pg_catalog.text USING ''x''', true),
    ('ALTER TABLE trap.parted DETACH PARTITION trap.parted_2', true),
    ('ALTER TABLE trap.parted RENAME m TO n', true),
    ('ALTER TABLE trap.parted DROP n', true),
    ('DROP TABLE trap.parted_3', true),
    ('ALTER TABLE trap.typed ALTER m TYPE trap.word USING ''x''', true),
    ('ALTER TABLE trap.keyed ALTER m TYPE pg_catalog.text USING ''x''', true),
    ('ALTER TYPE trap.mood RENAME VALUE ''sad'' TO ''blue''', true),
    ('REFRESH MATERIALIZED VIEW trap.materialized', true),
    ('CREATE TABLE trap.made AS SELECT * FROM trap.typed', true),
    ('ALTER TABLE trap.made INHERIT trap.typed', true),
    ('DROP TABLE trap.keyed', true);
DO $$
DECLARE
    s text;
BEGIN
    FOREACH s IN ARRAY '{spines_lost,segments_lost,views_lost,spines_kept}'::text[] LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %s TO regress_auditspine_schemer', s);
        EXECUTE format('GRANT %s ON ALL TABLES IN SCHEMA %s TO regress_auditspine_schemer', CASE s WHEN 'spines_kept' THEN 'SELECT' ELSE 'ALL' END, s);
    END LOOP;
END $$;
CREATE TABLE driver.attempted (caller name, statement text, message text);
GRANT INSERT ON driver.attempted TO PUBLIC;
\set ECHO none
SELECT format('INSERT INTO driver.attempted SELECT current_user, %L, driver.attempt(%L)', statement, statement) FROM driver.statement WHERE NOT by_owner_only ORDER BY number \gexec
SET SESSION AUTHORIZATION regress_auditspine_schemer;
SELECT format('INSERT INTO driver.attempted SELECT current_user, %L, driver.attempt(%L)', statement, statement) FROM driver.statement ORDER BY number \gexec
SET SESSION AUTHORIZATION DEFAULT;
\set ECHO all
SET search_path = trap, pg_catalog, public;
SELECT pg_catalog.count(ok) OPERATOR(pg_catalog.>) 5 AS verified FROM public.verify_all();
RESET search_path;
-- Nothing has sprung.
SELECT driver.sprung();
SELECT replace(sequencename, 'sprung: ', '') AS trap, last_value AS sprung FROM pg_sequences
WHERE schemaname = 'trap' AND sequencename LIKE 'sprung: %' AND last_value > 0 ORDER BY sequencename COLLATE "C";
SELECT caller, function, sprung FROM driver.result WHERE sprung > 0 ORDER BY caller COLLATE "C", function COLLATE "C";
-- The traps are there, and no function was left out.
SELECT replace(sequencename, 'sprung: ', '') AS planted FROM pg_sequences WHERE schemaname = 'trap' AND sequencename LIKE 'sprung: %' ORDER BY sequencename COLLATE "C";
SELECT count(*) > 500 AS many FROM pg_proc WHERE pronamespace = 'trap'::regnamespace AND prosrc LIKE '%ran_as_owner%';
SELECT last_value > 1 AS ran_as_owner FROM trap.ran_as_owner;
SELECT count(*) = 2 * (SELECT count(*) FROM driver.function) AS all_called, sum(calls) > 500 AS often FROM driver.result WHERE calls > 0;
SELECT caller, count(*) > 20 AS fired, count(*) FILTER (WHERE message IS NULL) > 10 AS went_through FROM driver.attempted GROUP BY caller ORDER BY caller;
SELECT message FROM driver.attempted WHERE message LIKE '%would%' GROUP BY message ORDER BY message COLLATE "C";
SELECT function AS never_succeeded FROM driver.result WHERE caller = 'superuser' AND calls = failed ORDER BY function COLLATE "C";
-- They can spring: PostgreSQL itself calls them.
SELECT (to_jsonb(t) ->> 'id')::integer = 1 AS called FROM trap.typed AS t;
SELECT driver.sprung() > 0 AS can_spring;
SELECT * FROM verify_chain() WHERE NOT ok;
DROP OWNED BY regress_auditspine_schemer, regress_auditspine_watcher CASCADE;
DROP SCHEMA driver CASCADE;
DROP ROLE regress_auditspine_schemer, regress_auditspine_watcher;
