-- Alerts reach: nothing on their table can swallow or change them, a break that comes again is told of again,
-- and who may not read rows learns nothing of them.
CREATE TABLE stock (id integer PRIMARY KEY, v text);
SELECT audit_attach('stock');
INSERT INTO stock VALUES (1, 'one'), (2, 'two');
CREATE PROCEDURE tamper(what text, tab regclass DEFAULT 'stock') LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER auditspine_audit', tab);
    EXECUTE what;
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER auditspine_audit', tab);
END $$;
CREATE VIEW raised AS SELECT finding, pk, occurrence FROM auditspine.alert ORDER BY alert_id;
SELECT bool_and(ok) FROM verify_all();

-- Deleted, put back, deleted again, while another break is open.
CALL tamper($$UPDATE stock SET v = 'other' WHERE id = 1$$);
CALL tamper($$DELETE FROM stock WHERE id = 2$$);
SELECT layer, findings FROM verify_all() WHERE NOT ok;
SELECT layer, findings FROM verify_all() WHERE NOT ok;
CALL tamper($$INSERT INTO stock VALUES (2, 'two')$$);
-- An incremental run does not look at it.
SELECT layer, findings FROM verify_all('last') WHERE NOT ok;
SELECT count(*) FROM auditspine.open_break;
SELECT layer, findings FROM verify_all() WHERE NOT ok;
SELECT count(*) FROM auditspine.open_break;
CALL tamper($$DELETE FROM stock WHERE id = 2$$);
SELECT layer, findings FROM verify_all() WHERE NOT ok;
SELECT * FROM raised;
CALL tamper($$INSERT INTO stock VALUES (2, 'two')$$);
CALL tamper($$UPDATE stock SET v = 'one' WHERE id = 1$$);
SELECT bool_and(ok) FROM verify_all();
SELECT count(*) FROM auditspine.open_break;

-- What a trigger makes of alerts. Each run fails, and the next one tells of the break.
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION soften() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.severity := 'info'; RETURN NEW; END $$;
CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('session_replication_role', 'replica', true);
    EXECUTE pg_catalog.format('DELETE FROM %s', TG_RELID::regclass);
    PERFORM pg_catalog.set_config('session_replication_role', 'origin', true);
    RETURN NULL;
END $$;
CALL tamper($$UPDATE stock SET v = 'other' WHERE id = 1$$);
DO $$
DECLARE
    state text;
    what text;
BEGIN
    FOREACH state IN ARRAY ARRAY['alert', 'verification', 'open_break'] LOOP
        FOREACH what IN ARRAY ARRAY['BEFORE INSERT|swallow', 'BEFORE INSERT|soften', 'AFTER INSERT|undo', 'rule'] LOOP
            CONTINUE WHEN state <> 'alert' AND what LIKE '%soften';
            BEGIN
                IF what = 'rule' THEN
                    EXECUTE format('CREATE RULE away AS ON INSERT TO auditspine.%I DO INSTEAD NOTHING', state);
                ELSE
                    EXECUTE format('CREATE TRIGGER meddle %s ON auditspine.%I FOR EACH ROW EXECUTE FUNCTION %I()',
                                   split_part(what, '|', 1), state, split_part(what, '|', 2));
                END IF;
                PERFORM verify_all();
                RAISE EXCEPTION 'the run ended well';
            EXCEPTION WHEN OTHERS THEN
                RAISE NOTICE '%, %: % %', state, what, SQLSTATE, regexp_replace(SQLERRM, 'run \d+|alert \d+', 'number …');
            END;
        END LOOP;
    END LOOP;
END $$;
SELECT count(*) FROM raised;
-- Where incremental runs go on is no trigger's to say, either.
CALL tamper($$UPDATE stock SET v = 'one' WHERE id = 1$$);
INSERT INTO stock VALUES (3, 'three');
CREATE FUNCTION ahead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.pos := NEW.pos + 5; RETURN NEW; END $$;
BEGIN;
CREATE TRIGGER ahead BEFORE INSERT OR UPDATE ON auditspine.verified_head FOR EACH ROW EXECUTE FUNCTION ahead();
SELECT bool_and(ok) FROM verify_all('last');
ROLLBACK;
SELECT bool_and(ok) FROM verify_all('last');

-- An alert written by hand ahead of the break does not make it a known one, whatever numbers it takes.
INSERT INTO auditspine.alert
SELECT last_value + n, now(), 'audit_chain_break', 'critical', 'rows', NULL, 'public.stock', 'stock', '1', 1, 'row_edited', 'by hand', '{}', 1,
       (SELECT break_digest FROM auditspine.alert WHERE finding = 'row_edited' LIMIT 1), 1 + n * n
FROM auditspine.alert_id_seq, generate_series(1, 3) AS n;
CALL tamper($$UPDATE stock SET v = 'other' WHERE id = 1$$);
SELECT layer, findings FROM verify_all() WHERE NOT ok;
SELECT finding, pk, occurrence FROM auditspine.alert WHERE layer = 'rows' AND detail <> 'by hand' ORDER BY alert_id DESC LIMIT 1;

-- Neither evidence nor detail shows what rows contain, to an auditor without rights to the table.
CREATE ROLE alerts_auditor;
SELECT grant_auditor('alerts_auditor');
CREATE TABLE payroll (id integer PRIMARY KEY, salary integer, note text);
SELECT audit_attach('payroll', payload => 'full');
INSERT INTO payroll VALUES (1, 111111, 'first');
CALL tamper($$UPDATE payroll SET salary = 222222$$, 'payroll');
SELECT layer, subject, findings FROM verify_all() WHERE NOT ok;
SET ROLE alerts_auditor;
SELECT key, recorded, current FROM verify_table_findings('payroll');
SELECT finding, pk, jsonb_object_keys(evidence) AS evidence, evidence::text ~ '111111|222222' AS shows_content
FROM auditspine.alert WHERE table_name = 'public.payroll';
RESET ROLE;
-- A value that an error quotes is not told.
CREATE TABLE quoting (id integer PRIMARY KEY, j json);
SELECT audit_attach('quoting');
CALL tamper($$INSERT INTO quoting VALUES (1, '{"secret": 1}')$$, 'quoting');
-- As 0.4 recorded it, which read the json.
CREATE FUNCTION as_before(target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id integer := nextval('auditspine.layout_id_seq');
    kind text := (SELECT relname FROM pg_class WHERE oid = target);
    key text := (SELECT attname FROM pg_attribute WHERE attrelid = target AND attnum = 1);
    described jsonb := jsonb_build_object('kind', kind, 'table', 'public.' || kind, 'oid', target::oid::text,
        'system', (SELECT system_identifier::text FROM pg_control_system()),
        'columns', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('attnum', attnum, 'name', attname, 'type', CASE WHEN typnamespace = 'pg_catalog'::regnamespace THEN format_type(atttypid, atttypmod) ELSE 'public.' || format_type(atttypid, atttypmod) END,
            'shape', (SELECT jsonb_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = atttypid))) ORDER BY attnum)
            FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE attrelid = target AND attnum > 0 AND NOT attisdropped));
    append text := $q$INSERT INTO auditspine.audit_chain (seq, chain_id, lane, pos, version, op, event_kind, event_pk, xid, appended_at, db_user, layout, payload, payload_hash, event_hash, prev_hash, chain_hash)
        SELECT nextval('auditspine.audit_seq'), 1, 0, (SELECT coalesce(max(pos), 0) + 1 FROM auditspine.audit_chain WHERE chain_id = 1 AND lane = 0), 1, $1, $2, $3, '7', now(), 'alice', $4, $5, $6, sha256(''), sha256(''), sha256('')$q$;
    row_key text;
    row_hash bytea;
BEGIN
    INSERT INTO auditspine.layout (layout_id, relation, digest, kind, created_at) VALUES (id, target, canonical_json_hash(described - 'table'), kind, now());
    EXECUTE append USING 'S'::"char", 'auditspine.layout', id::text, NULL::integer, described, canonical_json_hash(described);
    FOR row_key, row_hash IN EXECUTE format('SELECT %I::text, canonical_row_hash(t) FROM %s t', key, target) LOOP
        EXECUTE append USING 'I'::"char", kind, row_key, id, NULL::jsonb, row_hash;
    END LOOP;
END $$;
SELECT as_before('quoting');
CALL tamper($$UPDATE quoting SET j = '{"secret": 1, "secret": 2}'$$, 'quoting');
SELECT layer, detail FROM verify_all() WHERE subject = 'public.quoting';

REVOKE ALL ON ALL TABLES IN SCHEMA auditspine FROM alerts_auditor;
SELECT revoke_auditor('alerts_auditor');
DROP OWNED BY alerts_auditor;
DROP ROLE alerts_auditor;
