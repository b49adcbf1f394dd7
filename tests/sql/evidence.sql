-- What runs, publications and grants left in their tables is held against auditspine.evidence: rows edited, deleted
-- or added by hand are findings, whichever table it is.
CREATE TABLE item (k integer PRIMARY KEY, tenant text);
SELECT audit_attach('item', chain_by => '{tenant}');
INSERT INTO item VALUES (1, 'acme'), (2, 'beta');
CREATE ROLE evidence_auditor;
CREATE ROLE evidence_other;
SET client_min_messages = warning;
SELECT grant_auditor('evidence_auditor', chain => 'acme');
RESET client_min_messages;
\set file '/tmp/regress_auditspine_evidence'
SELECT set_config('auditspine.publish_file', :'file', false) IS NOT NULL AS set;
SELECT heads FROM publish_head();
SELECT bool_and(ok) FROM verify_all();
ALTER TABLE item DISABLE TRIGGER auditspine_audit;
DELETE FROM item WHERE k = 1;
SELECT layer, findings FROM verify_all() WHERE NOT ok;
INSERT INTO item VALUES (1, 'acme');
ALTER TABLE item ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT heads FROM publish_head();
SELECT bool_and(ok) FROM verify_all();
SELECT bool_and(ok) FROM verify_all('last');
SELECT kind, count(*) FROM auditspine.evidence GROUP BY kind ORDER BY kind;
-- As documented.
SELECT payload ->> 'run' = encode(canonical_row_hash(v), 'hex') AS run, payload_hash = canonical_json_hash(payload) AS payload
FROM auditspine.evidence JOIN auditspine.verification AS v ON about = verification_id WHERE kind = 'verification' ORDER BY about;
SELECT a.alerts = e.payload ->> 'alerts' AS alerts
FROM auditspine.evidence AS e
JOIN (SELECT verification_id, count(*) || ' ' || encode(sha256(string_agg(canonical_row_hash(a), '' ORDER BY alert_id)), 'hex') AS alerts
      FROM auditspine.alert AS a GROUP BY verification_id) AS a ON e.about = a.verification_id
WHERE e.kind = 'verification';

-- Tampers with all triggers of the table off, and on again as they were; verifies; takes it back.
CREATE FUNCTION after(what text, tab text, since text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    EXECUTE format('ALTER TABLE auditspine.%I DISABLE TRIGGER USER', tab);
    EXECUTE what;
    EXECUTE format('ALTER TABLE auditspine.%I ENABLE TRIGGER USER', tab);
    EXECUTE format('ALTER TABLE auditspine.%I ENABLE REPLICA TRIGGER replicated', tab);
    EXECUTE format('ALTER TABLE auditspine.%I ENABLE REPLICA TRIGGER replicated_truncate', tab);
    SELECT coalesce(string_agg(layer || ' ' || findings || ' ' || split_part(detail, ':', 1), ', ' ORDER BY layer COLLATE "C"), 'clean') INTO told
    FROM verify_all(since) WHERE NOT ok;
    RAISE EXCEPTION USING ERRCODE = 'P9999', MESSAGE = told;
EXCEPTION WHEN SQLSTATE 'P9999' THEN
    RETURN SQLERRM;
END $$;
CREATE TABLE deed (number integer, tab text, what text);
INSERT INTO deed VALUES
    (1, 'verification', 'UPDATE auditspine.verification SET ok = true, findings = 0 WHERE NOT ok'),
    (2, 'verification', 'DELETE FROM auditspine.verification WHERE NOT ok'),
    (3, 'verification', 'DELETE FROM auditspine.verification'),
    (4, 'verification', 'INSERT INTO auditspine.verification SELECT v.verification_id + 50, v.started_at, v.finished_at, v.took, v.scope, v.reason, v.from_seq, v.to_seq, v.chains, v.entries, v.tables, v.rows, v.unverifiable, v.findings, v.alerts, v.ok, v.version, v.db_user FROM auditspine.verification v WHERE verification_id = 1'),
    (5, 'alert', 'UPDATE auditspine.alert SET detail = ''nothing'''),
    (6, 'alert', 'DELETE FROM auditspine.alert'),
    (7, 'alert', 'INSERT INTO auditspine.alert SELECT alert_id + 50, raised_at, kind, severity, layer, chain, table_name, event_kind, pk, seq, finding, detail, evidence, verification_id, sha256(break_digest), occurrence FROM auditspine.alert'),
    (8, 'alert', 'INSERT INTO auditspine.alert SELECT alert_id + 50, raised_at, kind, severity, layer, chain, table_name, event_kind, pk, seq, finding, detail, evidence, 77, sha256(break_digest), occurrence FROM auditspine.alert'),
    (9, 'publication', 'UPDATE auditspine.publication SET published_at = published_at - interval ''1 day'''),
    (10, 'publication', 'DELETE FROM auditspine.publication WHERE publication_id = 1'),
    (11, 'publication', 'DELETE FROM auditspine.publication WHERE chain = ''acme'''),
    (12, 'publication', 'INSERT INTO auditspine.publication SELECT publication_id + 50, published_at, file, chain, chain_id, lane, pos, seq, chain_hash, db_user FROM auditspine.publication'),
    (13, 'auditor', 'UPDATE auditspine.auditor SET chain = NULL'),
    (14, 'auditor', 'DELETE FROM auditspine.auditor'),
    (15, 'auditor', 'INSERT INTO auditspine.auditor (role_name, granted_at, granted_by) VALUES (''evidence_other'', now(), ''x'')'),
    (16, 'verified_head', 'UPDATE auditspine.verified_head SET pos = pos + 1'),
    (17, 'verified_head', 'UPDATE auditspine.verified_head SET chain_hash = sha256(''x'')'),
    (18, 'verified_head', 'DELETE FROM auditspine.verified_head WHERE chain_id = 1'),
    (19, 'verified_head', 'INSERT INTO auditspine.verified_head VALUES (99, 0, 1, 1, sha256(''x''))'),
    (20, 'open_break', 'INSERT INTO auditspine.open_break SELECT break_digest, 1 FROM auditspine.alert'),
    (21, 'evidence', 'UPDATE auditspine.evidence SET payload = payload || ''{"findings": 0}'' WHERE about = 2'),
    (22, 'evidence', 'DELETE FROM auditspine.evidence WHERE kind = ''verification'' AND about = 2'),
    (23, 'evidence', 'DELETE FROM auditspine.evidence WHERE kind = ''publication'' AND about = 1'),
    (24, 'evidence', 'DELETE FROM auditspine.evidence WHERE kind = ''auditor'''),
    (25, 'evidence', 'INSERT INTO auditspine.evidence SELECT evidence_id + 50, kind, about + 50, payload, payload_hash FROM auditspine.evidence WHERE about = 1'),
    (26, 'evidence', 'TRUNCATE auditspine.evidence');
SELECT number, tab, after(what, tab, NULL) AS full, after(what, tab, 'last') AS incremental FROM deed ORDER BY number;

-- Where an incremental run would begin behind what nobody has verified, it does not.
INSERT INTO item VALUES (3, 'acme');
ALTER TABLE item DISABLE TRIGGER auditspine_audit;
UPDATE item SET tenant = 'other' WHERE k = 3;
ALTER TABLE item ENABLE ALWAYS TRIGGER auditspine_audit;
INSERT INTO auditspine.verified_head SELECT chain_id, lane, pos, seq, chain_hash FROM chain_heads()
ON CONFLICT (chain_id, lane) DO UPDATE SET pos = EXCLUDED.pos, seq = EXCLUDED.seq, chain_hash = EXCLUDED.chain_hash;
SELECT layer, subject, findings, detail FROM verify_all('last') WHERE NOT ok;
SELECT scope, reason FROM auditspine.verification ORDER BY verification_id DESC LIMIT 1;
SELECT layer, subject, findings FROM verify_all('last') WHERE NOT ok;
ALTER TABLE item DISABLE TRIGGER auditspine_audit;
UPDATE item SET tenant = 'acme' WHERE k = 3;
ALTER TABLE item ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT bool_and(ok) FROM verify_all();
-- Two runs in one transaction, at any isolation level; one that is taken back leaves nothing.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT bool_and(ok) FROM verify_all();
SAVEPOINT s;
SELECT bool_and(ok) FROM verify_all('last');
ROLLBACK TO s;
SELECT bool_and(ok) FROM verify_all('last');
COMMIT;
SELECT bool_and(ok) FROM verify_all('last');

SELECT revoke_auditor('evidence_auditor');
SELECT bool_and(ok) FROM verify_all();
DROP OWNED BY evidence_auditor;
DROP ROLE evidence_auditor;
DROP ROLE evidence_other;
\! rm -f /tmp/regress_auditspine_evidence
