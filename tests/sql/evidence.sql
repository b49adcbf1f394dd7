-- What runs, publications and grants left in their tables is held against entries of chain auditspine.evidence: rows
-- edited, deleted or added by hand are findings, whichever table it is.
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
SELECT chain_id = (SELECT chain_id FROM auditspine.chain WHERE name = 'auditspine.evidence') AS on_its_chain, event_kind, count(*)
FROM auditspine.audit_chain WHERE event_kind IN ('auditspine.verification', 'auditspine.publication', 'auditspine.auditor')
GROUP BY 1, 2 ORDER BY 2;
SELECT chain, findings FROM verify_chain();
-- As documented.
SELECT payload ->> 'run' = encode(canonical_row_hash(v), 'hex') AS run, payload ->> 'entries' AS entries
FROM auditspine.audit_chain JOIN auditspine.verification AS v ON event_pk = verification_id::text
WHERE event_kind = 'auditspine.verification' ORDER BY verification_id;
SELECT a.alerts = e.payload ->> 'alerts' AS alerts
FROM auditspine.audit_chain AS e
JOIN (SELECT verification_id, count(*) || ' ' || encode(sha256(string_agg(canonical_row_hash(a), '' ORDER BY alert_id)), 'hex') AS alerts
      FROM auditspine.alert AS a GROUP BY verification_id) AS a ON e.event_pk = a.verification_id::text
WHERE e.event_kind = 'auditspine.verification';

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
    (21, 'audit_chain', 'UPDATE auditspine.audit_chain SET payload = payload || ''{"findings": 0}'' WHERE event_kind = ''auditspine.verification'' AND event_pk = ''2'''),
    (22, 'audit_chain', 'UPDATE auditspine.audit_chain SET payload = NULL WHERE event_kind = ''auditspine.verification'' AND event_pk = ''2'''),
    (23, 'audit_chain', 'DELETE FROM auditspine.audit_chain WHERE event_kind = ''auditspine.verification'' AND event_pk = ''2'''),
    (24, 'audit_chain', 'DELETE FROM auditspine.audit_chain WHERE event_kind = ''auditspine.publication'' AND event_pk = ''1'''),
    (25, 'audit_chain', 'DELETE FROM auditspine.audit_chain WHERE event_kind = ''auditspine.auditor'''),
    (26, 'audit_chain', 'DELETE FROM auditspine.audit_chain WHERE event_kind IN (''auditspine.verification'', ''auditspine.publication'', ''auditspine.auditor'')'),
    (27, 'audit_chain', 'UPDATE auditspine.audit_chain SET event_kind = ''auditspine.x'' WHERE event_kind = ''auditspine.verification'''),
    (28, 'chain', 'UPDATE auditspine.chain SET name = ''other'' WHERE name = ''auditspine.evidence'''),
    -- Rows and their evidence alike.
    (29, 'verification', $$ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
        UPDATE auditspine.verification SET version = 'x' WHERE verification_id = 2;
        UPDATE auditspine.audit_chain AS e SET payload = e.payload || jsonb_build_object('run', encode(canonical_row_hash(v), 'hex'))
        FROM auditspine.verification AS v WHERE event_kind = 'auditspine.verification' AND event_pk = '2' AND verification_id = 2;
        UPDATE auditspine.audit_chain SET payload_hash = canonical_json_hash(payload) WHERE event_kind = 'auditspine.verification';
        ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only$$),
    (30, 'verification', $$ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
        ALTER TABLE auditspine.alert DISABLE TRIGGER append_only;
        DELETE FROM auditspine.verification WHERE verification_id = 2;
        DELETE FROM auditspine.alert WHERE verification_id = 2;
        DELETE FROM auditspine.audit_chain WHERE event_kind = 'auditspine.verification' AND event_pk = '2';
        ALTER TABLE auditspine.alert ENABLE TRIGGER append_only;
        ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only$$),
    (31, 'auditor', $$ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
        DELETE FROM auditspine.auditor;
        DELETE FROM auditspine.audit_chain WHERE event_kind = 'auditspine.auditor';
        ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only$$);
-- An incremental run reads no older entries again: what was altered in them alike (29) is for the full run to find.
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

-- A verification and a publication in one transaction, in either order, again and again.
BEGIN;
SELECT bool_and(ok) FROM verify_all();
SELECT heads FROM publish_head();
SELECT heads FROM publish_head();
SELECT bool_and(ok) FROM verify_all('last');
SELECT heads FROM publish_head();
COMMIT;
SELECT heads FROM publish_head();
SELECT bool_and(ok) FROM verify_all();
BEGIN;
INSERT INTO item VALUES (9, 'acme');
SELECT heads FROM publish_head();
ROLLBACK;

-- The chain is nobody else's.
SELECT create_chain('auditspine.evidence');
SELECT create_chain('auditspine.other');
SELECT audit_chain_append('k', 'p', '1', 'auditspine.evidence');
CREATE TABLE intruder (k integer PRIMARY KEY);
SELECT audit_attach('intruder', chain => 'auditspine.evidence');
INSERT INTO item VALUES (10, 'auditspine.evidence');
SELECT name, tenant FROM auditspine.chain WHERE tenant = 'auditspine.evidence';

SELECT revoke_auditor('evidence_auditor');
SELECT bool_and(ok) FROM verify_all();
DROP OWNED BY evidence_auditor;
DROP ROLE evidence_auditor;
DROP ROLE evidence_other;
\! rm -f /tmp/regress_auditspine_evidence
