-- verify_all(): its result, what it records, alerts. Concurrent runs and pg_cron are in tests/load.
CREATE TABLE item (k integer PRIMARY KEY, v text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item');
-- Tampers as a superuser who knows where to look.
CREATE PROCEDURE tamper(what text) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL session_replication_role = replica;
    EXECUTE what;
    SET LOCAL session_replication_role = origin;
END $$;
CREATE VIEW links AS SELECT subject, ok, checked, findings, first_bad_seq, detail FROM verify_all('last') WHERE layer = 'links';
CREATE VIEW runs AS
SELECT scope, reason, from_seq, to_seq, chains, entries, findings, alerts, ok,
       started_at <= finished_at AND took >= interval '0' AND took < interval '1 minute' AS timed, db_user = session_user AS own
FROM auditspine.verification ORDER BY verification_id;

-- Nothing is there yet; then nothing was verified before.
SELECT * FROM verify_all();
SELECT layer, subject, ok, checked, findings, first_bad_seq, detail FROM verify_all('last');
INSERT INTO item SELECT k, 'a' FROM generate_series(1, 10) AS k;
SELECT * FROM links;
-- From the last clean run on: nothing, then what was added.
SELECT * FROM links;
UPDATE item SET v = 'b' WHERE k <= 3;
SELECT * FROM links;
SELECT chain_id, lane, pos, seq, h.chain_hash = a.chain_hash AS same FROM auditspine.verified_head AS h JOIN auditspine.audit_chain AS a USING (chain_id, lane, pos, seq);
-- From a number on; this transaction's own changes are seen.
BEGIN;
DELETE FROM item WHERE k = 10;
SELECT subject, ok, checked FROM verify_all((SELECT min(seq)::text FROM auditspine.audit_chain WHERE op = 'U')) WHERE layer = 'links';
COMMIT;
SELECT subject, ok, checked FROM verify_all('0') WHERE layer = 'links';
SELECT subject, ok, checked FROM verify_all('9223372036854775807') WHERE layer = 'links';
SELECT * FROM runs;
-- Another chain, with a name that must be quoted.
SELECT create_chain('tenant "b"');
SELECT seq FROM audit_chain_append('note', 'n1', '{"by": "hand"}', 'tenant "b"');
SELECT * FROM links;
SELECT * FROM links;
SELECT count(*) FROM auditspine.verified_head;

-- What is added and damaged is found behind the heads.
INSERT INTO item VALUES (11, 'c'), (12, 'c');
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = 'nobody' WHERE event_kind = 'item' AND event_pk = '11'$$);
SELECT * FROM links;
SELECT scope, from_seq, to_seq, entries, findings, alerts, ok FROM runs WHERE findings > 0;
SELECT kind, severity, layer, chain, table_name, event_kind, pk, seq, finding, detail, occurrence,
       raised_at BETWEEN started_at AND finished_at AS during_the_run, octet_length(break_digest) AS digest_bytes
FROM auditspine.alert JOIN auditspine.verification USING (verification_id) ORDER BY alert_id;
SELECT jsonb_object_keys(evidence) AS evidence FROM auditspine.alert;
SELECT evidence -> 'lane' AS lane, evidence -> 'pos' AS pos, evidence ->> 'expected' = encode(event_hash, 'hex') AS expected,
       evidence #>> '{neighbours,successor,seq}' AS successor
FROM auditspine.alert JOIN auditspine.audit_chain USING (seq);
-- It is found again, and no alert is raised again, whatever the scope.
SELECT subject, findings FROM verify_all('last') WHERE layer = 'links';
SELECT subject, findings FROM verify_all() WHERE layer = 'links';
SELECT subject, findings FROM verify_all('5') WHERE layer = 'links';
-- It is still in sight of the next incremental run, since none was clean.
SELECT pos FROM auditspine.verified_head WHERE chain_id = 1;
SELECT count(*) FROM auditspine.alert;
-- Repaired; verified in full; damaged again: that is another break.
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = session_user WHERE event_kind = 'item' AND event_pk = '11'$$);
SELECT * FROM links;
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = 'nobody' WHERE event_kind = 'item' AND event_pk = '11'$$);
SELECT bool_and(ok) FROM verify_all();
SELECT seq, finding, occurrence FROM auditspine.alert ORDER BY alert_id;
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = session_user WHERE event_kind = 'item' AND event_pk = '11'$$);
SELECT bool_and(ok) FROM verify_all();
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = 'nobody' WHERE event_kind = 'item' AND event_pk = '11'$$);
SELECT bool_and(ok) FROM verify_all();
SELECT bool_and(ok) FROM verify_all();
SELECT seq, finding, occurrence FROM auditspine.alert ORDER BY alert_id;
-- An old entry that was edited is behind the heads: only a run over everything, or from there on, sees it.
SELECT * FROM links;
SELECT subject, ok FROM verify_all((SELECT seq::text FROM auditspine.audit_chain WHERE event_kind = 'item' AND event_pk = '12')) WHERE layer = 'links';
SELECT subject, ok, detail FROM verify_all((SELECT seq::text FROM auditspine.audit_chain WHERE event_kind = 'item' AND event_pk = '11')) WHERE layer = 'links';
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = session_user WHERE event_kind = 'item' AND event_pk = '11'$$);

-- The heads themselves. The end of a lane is cut off: no link shows that.
CREATE TABLE kept AS SELECT * FROM auditspine.audit_chain WHERE event_kind = 'item' AND event_pk = '12';
CALL tamper($$DELETE FROM auditspine.audit_chain WHERE event_kind = 'item' AND event_pk = '12'$$);
SELECT ok, findings FROM verify_chain('main');
SELECT * FROM links;
SELECT scope, reason, findings, alerts FROM runs OFFSET (SELECT count(*) FROM runs) - 1;
-- The row that it recorded is there.
SELECT layer, subject, ok, findings, detail FROM verify_all();
-- The last entry is replaced, hashes and all: nor does a link show that.
CREATE VIEW forgery AS
SELECT k.*, sha256(convert_to(canonical_json(jsonb_build_object(
    'actor', actor, 'appended_at', to_char(appended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'chain', name,
    'context', context, 'db_user', db_user, 'kind', event_kind, 'lane', lane, 'layout', layout, 'op', op,
    'payload_hash', encode(payload_hash, 'hex'), 'pk', '666', 'pos', pos::text, 'v', version, 'xid', xid::text)), 'UTF8')) AS forged
FROM kept AS k JOIN auditspine.chain USING (chain_id);
CALL tamper($$INSERT INTO auditspine.audit_chain
    SELECT seq, chain_id, lane, pos, version, op, event_kind, '666', xid, appended_at, db_user, actor, context, layout, payload,
           payload_hash, forged, prev_hash, sha256(prev_hash || forged || int8send(seq)) FROM forgery$$);
SELECT ok, findings FROM verify_chain('main');
SELECT subject, ok, findings, detail FROM verify_all('last') WHERE layer = 'links';
CALL tamper($$DELETE FROM auditspine.audit_chain WHERE event_pk = '666'$$);
CALL tamper($$INSERT INTO auditspine.audit_chain TABLE kept$$);
SELECT * FROM links;
SELECT layer, finding, seq, detail FROM auditspine.alert WHERE pk IS DISTINCT FROM '11' OR layer <> 'links' ORDER BY alert_id;

-- A chain that is gone from auditspine.chain.
CALL tamper($$UPDATE auditspine.chain SET chain_id = 77 WHERE name = 'tenant "b"'$$);
SELECT * FROM links;
CALL tamper($$UPDATE auditspine.chain SET chain_id = (SELECT chain_id FROM auditspine.audit_chain WHERE event_kind = 'note') WHERE chain_id = 77$$);
SELECT chain, event_kind, pk, seq, finding FROM auditspine.alert WHERE event_kind = 'note' ORDER BY alert_id;

-- Without the primary key, everything is verified.
BEGIN;
ALTER TABLE auditspine.audit_chain DROP CONSTRAINT audit_chain_pkey;
SELECT * FROM links;
SELECT scope, reason FROM runs OFFSET (SELECT count(*) FROM runs) - 1;
ROLLBACK;

-- Alerts are forwarded by an ordinary trigger.
CREATE TABLE senate_alerts (id bigint, what text, about text);
CREATE FUNCTION forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.senate_alerts VALUES (NEW.alert_id, NEW.kind, NEW.finding || ' of ' || NEW.pk);
    RETURN NULL;
END $$;
CREATE TRIGGER forward AFTER INSERT ON auditspine.alert FOR EACH ROW EXECUTE FUNCTION forward();
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = 'nobody' WHERE event_kind = 'item' AND event_pk IN ('2', '4') AND op = 'I'$$);
SELECT subject, ok, findings FROM verify_all() WHERE layer = 'links';
SELECT subject, ok, findings FROM verify_all() WHERE layer = 'links';
SELECT what, about, id = alert_id AS same FROM senate_alerts LEFT JOIN auditspine.alert ON alert_id = id ORDER BY id;
-- If forwarding fails, the run fails: no alert is lost silently, and the next run raises it.
ALTER TABLE senate_alerts ADD CHECK (about NOT LIKE '% 6');
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = 'nobody' WHERE event_kind = 'item' AND event_pk = '6'$$);
\set VERBOSITY sqlstate
SELECT subject FROM verify_all();
SELECT count(*) FROM auditspine.alert WHERE pk = '6';
ALTER TABLE senate_alerts DROP CONSTRAINT senate_alerts_about_check;
SELECT bool_and(ok) FROM verify_all();
SELECT seq, about FROM auditspine.alert JOIN senate_alerts ON alert_id = id WHERE pk = '6';
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = session_user WHERE event_kind = 'item' AND event_pk IN ('2', '4', '6') AND op = 'I'$$);

-- A run within a transaction that is rolled back leaves nothing.
CREATE TABLE before AS SELECT (SELECT count(*) FROM auditspine.alert) AS alerts, (SELECT count(*) FROM auditspine.verification) AS runs;
BEGIN;
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = 'nobody' WHERE event_kind = 'item' AND event_pk = '7'$$);
SELECT bool_and(ok) FROM verify_all();
ROLLBACK;
SELECT alerts = (SELECT count(*) FROM auditspine.alert) AND runs = (SELECT count(*) FROM auditspine.verification) AS nothing FROM before;

-- Read-only, it verifies all the same.
\set VERBOSITY default
BEGIN READ ONLY;
SELECT subject, ok, checked FROM verify_all() WHERE layer = 'links';
SELECT subject, ok, checked FROM verify_all('last') WHERE layer = 'links';
COMMIT;
SELECT runs = (SELECT count(*) FROM auditspine.verification) AS nothing FROM before;

-- Wrong arguments.
SELECT * FROM verify_all('yesterday');
SELECT * FROM verify_all('');
SELECT * FROM verify_all('-1');
SELECT * FROM verify_all('9223372036854775808');
SELECT * FROM verify_all('Last');
SELECT * FROM verify_all('2-1');
SELECT * FROM verify_all('1-');
SELECT * FROM verify_all('1-2-3');
SELECT count(*) FROM (SELECT verify_all('1')) AS lines;
SELECT count(*) FROM auditspine.verification WHERE scope = 'since 1';

-- The records are append-only.
\set VERBOSITY sqlstate
UPDATE auditspine.alert SET severity = 'low';
DELETE FROM auditspine.alert;
TRUNCATE auditspine.alert;
UPDATE auditspine.verification SET ok = true;
DELETE FROM auditspine.verification;
TRUNCATE auditspine.verification;

-- Whoever may execute it needs nothing else to have the run recorded; nobody may by default. The alert's trigger runs
-- with the rights of the extension's owner, under a search_path that the caller cannot choose.
CREATE ROLE regress_routine;
SET ROLE regress_routine;
SELECT subject FROM verify_all();
RESET ROLE;
GRANT EXECUTE ON FUNCTION verify_all(text) TO regress_routine;
SET ROLE regress_routine;
SELECT subject FROM verify_all();
RESET ROLE;
GRANT USAGE ON SCHEMA auditspine TO regress_routine;
GRANT SELECT ON auditspine.audit_chain, auditspine.chain TO regress_routine;
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = 'nobody' WHERE event_kind = 'item' AND event_pk = '8'$$);
SET ROLE regress_routine;
SELECT bool_and(ok) FROM verify_all('last');
SELECT bool_and(ok) FROM verify_all();
SELECT count(*) FROM auditspine.alert;
RESET ROLE;
SELECT seq, about FROM auditspine.alert JOIN senate_alerts ON alert_id = id WHERE pk = '8';
DROP OWNED BY regress_routine;
DROP ROLE regress_routine;

-- From one number to another: here, what is before the damage. What is damaged is found by its own window.
SELECT subject, ok, checked FROM verify_all('3-5') WHERE layer = 'links';
SELECT scope, from_seq, to_seq, entries, findings FROM auditspine.verification ORDER BY verification_id DESC LIMIT 1;
SELECT subject, ok, checked, detail FROM verify_all((SELECT seq || '-' || seq FROM auditspine.audit_chain WHERE event_pk = '8' AND event_kind = 'item')) WHERE layer = 'links' AND NOT ok;
-- A window is no reason to pass over what came before it.
CALL tamper($$UPDATE auditspine.audit_chain SET db_user = (SELECT db_user FROM auditspine.audit_chain WHERE event_pk = '7' AND event_kind = 'item') WHERE event_pk = '8' AND event_kind = 'item'$$);
SELECT bool_and(ok) FROM verify_all();
INSERT INTO item VALUES (20, 'a');
INSERT INTO item VALUES (21, 'a');
SELECT sum(checked) FROM verify_all((SELECT max(seq)::text FROM auditspine.audit_chain WHERE event_kind = 'item')) WHERE layer = 'links';
SELECT sum(checked) FROM verify_all('last') WHERE layer = 'links';
