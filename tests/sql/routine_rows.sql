-- verify_all(): the rows of audited tables, and published heads. What is wrong with single rows is verify_table()'s to
-- find; here is what becomes of it.
CREATE PROCEDURE tamper(target regclass, what text) LANGUAGE plpgsql AS $$
DECLARE
    command text;
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', target);
    EXECUTE what;
    EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', target);
    -- As audit_attach() has them.
    FOR command IN SELECT format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %I', tgrelid::regclass, tgname) FROM pg_trigger
        WHERE coalesce(pg_partition_root(tgrelid)::oid, tgrelid) = target AND tgname LIKE 'auditspine\_%' LOOP
        EXECUTE command;
    END LOOP;
END $$;
CREATE VIEW everything AS SELECT layer, subject, ok, checked, findings, first_bad_seq, detail FROM verify_all() WHERE layer <> 'links' OR NOT ok;
CREATE VIEW added AS SELECT layer, subject, ok, checked, findings, first_bad_seq, detail FROM verify_all('last') WHERE layer <> 'links' OR NOT ok;
CREATE VIEW alerts AS
SELECT layer, chain, table_name, event_kind, pk, seq, finding, detail, array(SELECT jsonb_object_keys(evidence)) AS evidence
FROM auditspine.alert ORDER BY alert_id;

CREATE SCHEMA app;
CREATE TABLE app.product (id integer PRIMARY KEY, name text, price numeric);
CREATE TABLE app."order" (id integer, line integer, what text, PRIMARY KEY (id, line)) PARTITION BY RANGE (id);
CREATE TABLE app.order_low PARTITION OF app."order" FOR VALUES FROM (0) TO (100);
CREATE TABLE app.order_high PARTITION OF app."order" FOR VALUES FROM (100) TO (200);
-- By tenant, and declared by hand.
CREATE TABLE event (id integer PRIMARY KEY, tenant text, v integer);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('event', 'chain_by=tenant');
SELECT audit_attach('app.product', payload => 'full'), audit_attach('app."order"', kind => 'order');
INSERT INTO app.product SELECT id, 'p' || id, id FROM generate_series(1, 5) AS id;
INSERT INTO app."order" SELECT id, 1, 'w' FROM generate_series(90, 109) AS id;
INSERT INTO event SELECT id, 't' || id % 3, 0 FROM generate_series(1, 9) AS id;
SELECT layer, subject, ok, checked, findings FROM verify_all();
SELECT scope, chains, tables, rows, unverifiable, findings, ok FROM auditspine.verification;
-- Nothing was added; then some rows were changed.
SELECT layer, subject, ok, checked, findings FROM verify_all('last');
UPDATE event SET v = 1 WHERE id IN (2, 4);
DELETE FROM app."order" WHERE id = 90;
INSERT INTO app.product VALUES (6, 'p6', 6);
UPDATE app.product SET price = 60 WHERE id = 6;
SELECT layer, subject, ok, checked, findings FROM verify_all('last');

-- Behind the chain's back: a row that was changed lately, one of a while ago, one deleted, one slipped in.
INSERT INTO app.product VALUES (7, 'p7', 7);
CALL tamper('app.product', 'UPDATE app.product SET price = 0 WHERE id = 7');
SELECT * FROM added;
SELECT * FROM added;
-- What was not changed since is seen by a full run only.
CALL tamper('app.product', 'UPDATE app.product SET price = 7 WHERE id = 7');
CALL tamper('event', 'UPDATE event SET v = 9 WHERE id = 5');
CALL tamper('app."order"', 'DELETE FROM app."order" WHERE id = 100');
CALL tamper('app.product', 'INSERT INTO app.product VALUES (8, ''p8'', 8)');
SELECT * FROM added;
SELECT * FROM everything;
SELECT * FROM everything;
-- From an entry on: rows that were recorded since.
SELECT layer, subject, ok, checked, findings FROM verify_all('43') WHERE layer = 'rows';
SELECT * FROM alerts;
SELECT evidence ?| '{recorded,current}' AS shows_content FROM auditspine.alert WHERE pk = '7';
CALL tamper('event', 'UPDATE event SET v = 0 WHERE id = 5');
CALL tamper('app."order"', 'INSERT INTO app."order" VALUES (100, 1, ''w'')');
CALL tamper('app.product', 'DELETE FROM app.product WHERE id = 8');
SELECT * FROM everything;

-- Triggers that are gone or do not fire are found at each run; nothing need have been added.
ALTER TABLE app.order_high DISABLE TRIGGER auditspine_audit;
DROP TRIGGER audit ON event;
SELECT * FROM added;
SELECT * FROM added;
-- Of such a table all rows are verified: entries tell nothing of what was done to it.
BEGIN;
INSERT INTO app."order" VALUES (150, 1, 'w');
UPDATE event SET v = v + 1 WHERE id = 5;
SELECT * FROM added;
SELECT finding, key FROM verify_table_findings('event', 9223372036854775807) ORDER BY key;
SELECT event_kind, pk, finding FROM auditspine.alert ORDER BY alert_id DESC LIMIT 2;
ROLLBACK;
ALTER TABLE app.order_high ENABLE ALWAYS TRIGGER auditspine_audit;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('event', 'chain_by=tenant');
SELECT * FROM everything;

-- A table that is gone, until that is recorded; TRUNCATE is.
TRUNCATE app.product;
DROP TABLE event;
SELECT * FROM added;
SELECT audit_detach_kind('event');
SELECT * FROM added;
SELECT * FROM everything;

-- Columns that are gone: no finding.
UPDATE app."order" SET what = 'x' WHERE id < 95;
ALTER TABLE app."order" DROP COLUMN what;
VACUUM FULL app."order";
SELECT * FROM everything;
SELECT unverifiable, findings, ok FROM auditspine.verification ORDER BY verification_id DESC LIMIT 1;
SELECT table_name, finding, detail FROM alerts OFFSET 7;

-- A table that cannot be verified hides none of the others.
CREATE TABLE nokey (id integer PRIMARY KEY, v integer);
SELECT audit_attach('nokey');
INSERT INTO nokey VALUES (1, 1);
ALTER TABLE nokey RENAME COLUMN id TO other;
CREATE TABLE byhand (id integer PRIMARY KEY);
CREATE TRIGGER audit AFTER INSERT ON byhand FOR EACH ROW EXECUTE FUNCTION audit_chain_append('byhand', 'pk=gone');
CREATE TABLE two (id integer PRIMARY KEY);
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON two FOR EACH ROW EXECUTE FUNCTION audit_chain_append('one');
CREATE TRIGGER b AFTER INSERT OR UPDATE OR DELETE ON two FOR EACH ROW EXECUTE FUNCTION audit_chain_append('other');
INSERT INTO two VALUES (1), (2);
CALL tamper('two', 'DELETE FROM two WHERE id = 2');
SELECT * FROM everything;
SELECT table_name, event_kind, pk, finding, detail FROM alerts OFFSET 7;
DROP TABLE byhand, two;
SELECT audit_detach_kind('one'), audit_detach_kind('other');

-- Published heads: the last of each lane, and in a full run all of them. What one cut explains is one alert.
SELECT current_setting('data_directory') AS data \gset
\set file :data '/regress_auditspine_routine.jsonl'
COPY (SELECT WHERE false) TO PROGRAM 'rm -f regress_auditspine_routine.jsonl';
SET auditspine.publish_file = :'file';
SELECT heads FROM publish_head();
INSERT INTO app.product VALUES (20, 'p20', 20);
SELECT heads FROM publish_head('main');
INSERT INTO app.product VALUES (21, 'p21', 21);
SELECT heads FROM publish_head('main');
SELECT layer, subject, ok, checked, findings, detail FROM verify_all() WHERE layer = 'heads';
SELECT layer, subject, ok, checked, findings, detail FROM verify_all('last') WHERE layer = 'heads';
CREATE TABLE kept AS SELECT * FROM auditspine.audit_chain WHERE chain_id = 1 AND event_pk IN ('20', '21');
CALL tamper('auditspine.audit_chain', 'DELETE FROM auditspine.audit_chain WHERE seq IN (SELECT seq FROM kept)');
SELECT layer, subject, ok, checked, findings FROM verify_all('last') WHERE layer = 'heads';
SELECT chain, finding, evidence ->> 'pos' = (SELECT max(pos)::text FROM kept) AS the_last FROM auditspine.alert WHERE layer = 'heads' ORDER BY alert_id;
SELECT layer, subject, ok, checked, findings FROM verify_all() WHERE layer = 'heads';
SELECT count(*) FROM auditspine.alert WHERE layer = 'heads';
CALL tamper('auditspine.audit_chain', 'INSERT INTO auditspine.audit_chain TABLE kept');
SELECT bool_and(ok) FROM verify_all();
COPY (SELECT WHERE false) TO PROGRAM 'rm -f regress_auditspine_routine.jsonl';
-- Without the primary key, entries are not found by their place; the rest is verified.
BEGIN;
ALTER TABLE auditspine.audit_chain DROP CONSTRAINT audit_chain_pkey;
SELECT layer, subject, ok, findings, detail FROM verify_all('last');
SELECT layer, finding FROM auditspine.alert ORDER BY alert_id DESC LIMIT 1;
ROLLBACK;

-- Adopted chains, in a full run.
CREATE TABLE old_chain (
    seq bigint PRIMARY KEY, event_kind text, event_pk text, event_hash bytea, prev_hash bytea, chain_hash bytea, appended_at timestamptz DEFAULT now()
);
CREATE PROCEDURE old_append(upto integer) LANGUAGE plpgsql AS $$
DECLARE
    prev bytea := (SELECT chain_hash FROM old_chain ORDER BY seq DESC LIMIT 1);
BEGIN
    FOR n IN 1 + (SELECT count(*) FROM old_chain) .. upto LOOP
        INSERT INTO old_chain VALUES (n, 'k', n, sha256('e' || n::text::bytea), prev,
            sha256(coalesce(prev, '') || sha256('e' || n::text::bytea) || int8send(n))) RETURNING chain_hash INTO prev;
    END LOOP;
END $$;
CALL old_append(20);
UPDATE old_chain SET event_hash = sha256('x') WHERE seq = 7;
SELECT outcome, entries, breaks FROM adopt_chain('old_chain');
CALL old_append(25);
SELECT layer, subject, ok, checked, findings, detail FROM verify_all() WHERE layer = 'adopted';
SELECT count(*) FROM verify_all('last') WHERE layer = 'adopted';
UPDATE old_chain SET event_hash = sha256('y') WHERE seq = 23;
SELECT layer, subject, ok, checked, findings, first_bad_seq, detail FROM verify_all() WHERE layer = 'adopted';
SELECT layer, subject, ok, checked, findings FROM verify_all() WHERE layer = 'adopted';
SELECT table_name, seq, finding FROM auditspine.alert WHERE layer = 'adopted' ORDER BY alert_id;

-- An error of a user's trigger is not taken for one of the table whose break is being told.
CREATE TABLE forwarded (what varchar(20));
CREATE FUNCTION forward() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.forwarded VALUES (NEW.table_name || NEW.detail); RETURN NULL; END $$;
CREATE TRIGGER forward AFTER INSERT ON auditspine.alert FOR EACH ROW EXECUTE FUNCTION forward();
SELECT count(*) AS before FROM auditspine.alert \gset
CALL tamper('nokey', 'UPDATE nokey SET v = 2');
SELECT verify_all();
SELECT count(*) = :before AS none_raised FROM auditspine.alert;
DROP TRIGGER forward ON auditspine.alert;
SELECT layer, subject, ok FROM verify_all() WHERE NOT ok;
SELECT table_name, finding FROM auditspine.alert ORDER BY alert_id DESC LIMIT 1;

-- Cancelling a run, or a lock that it is not granted, is no verdict on a table.
SELECT count(*) AS before FROM auditspine.alert \gset
SET statement_timeout = '1ms';
\set VERBOSITY sqlstate
DO $$ BEGIN PERFORM pg_sleep(0.1) FROM verify_all(); END $$;
RESET statement_timeout;
SELECT count(*) = :before AS none_raised FROM auditspine.alert;
-- Within a block that catches errors, everything is as it was.
DO $$
BEGIN
    PERFORM verify_all('never');
EXCEPTION WHEN invalid_parameter_value THEN
    PERFORM verify_all();
END $$;
