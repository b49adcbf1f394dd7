-- Findings that it takes unusual tampering to produce.
CREATE FUNCTION tamper(command text) RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$
BEGIN
    EXECUTE command;
END $$;
CREATE VIEW line AS
    SELECT layer, subject, ok, findings, detail FROM verify_all() WHERE NOT ok ORDER BY layer COLLATE "C", subject COLLATE "C";
CREATE TABLE item (id integer PRIMARY KEY, note text);
SELECT audit_attach('item', payload => 'full');
INSERT INTO item SELECT g, 'note ' || g FROM generate_series(1, 5) g;
TRUNCATE item;
INSERT INTO item VALUES (1, 'again');
SELECT ok, findings FROM verify_table('item');

-- An entry that auditspine wrote about the table: of a TRUNCATE, or of audit_attach().
BEGIN;
SELECT tamper($$UPDATE auditspine.audit_chain SET payload_hash = sha256('x') WHERE op = 'T' AND event_kind = 'item'$$);
SELECT finding, seq, detail FROM verify_table_findings('item') ORDER BY seq, finding COLLATE "C";
ROLLBACK;
BEGIN;
SELECT tamper($$UPDATE auditspine.audit_chain SET payload = '{}' WHERE event_kind = 'auditspine.attach' AND event_pk = 'item'$$);
SELECT finding, seq, detail FROM verify_table_findings('item') ORDER BY seq, finding COLLATE "C";
ROLLBACK;

-- The row of a chain.
BEGIN;
ALTER TABLE auditspine.chain DROP CONSTRAINT chain_lanes_check;
SELECT tamper('UPDATE auditspine.chain SET lanes = 0 WHERE name = ''main''');
SELECT chain, finding, detail FROM chain_findings() WHERE finding = 'chain_altered';
ROLLBACK;

-- A layer that cannot be verified does not keep the others from it.
SELECT trust_key(E'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAeGVygzLgOmO2RCtC75jusdS+/R6cUDK4PXD2Tl9VGlA=\n-----END PUBLIC KEY-----\n') IS NOT NULL AS trusted;
BEGIN;
ALTER TABLE auditspine.trusted_key RENAME COLUMN pem TO other;
SELECT layer, subject, detail FROM line WHERE layer = 'keys';
ROLLBACK;
BEGIN;
ALTER TABLE auditspine.auditor RENAME COLUMN chain_setting TO other;
SELECT layer, subject, detail FROM line WHERE layer = 'state';
ROLLBACK;

-- Rows inserted into an adopted chain.
CREATE TABLE old (seq bigint, event_kind text, event_pk text, event_hash bytea, prev_hash bytea, chain_hash bytea, appended_at timestamptz);
DO $$
DECLARE prev bytea; event bytea; link bytea;
BEGIN
    FOR i IN 1 .. 20 LOOP
        event := sha256(int8send(i));
        link := sha256(coalesce(prev, '') || event || int8send(i * 2));
        INSERT INTO old VALUES (i * 2, 'k', i::text, event, prev, link, '2020-01-01 00:00+00');
        prev := link;
    END LOOP;
END $$;
SELECT outcome, entries, breaks FROM adopt_chain('old');
BEGIN;
INSERT INTO old SELECT seq + 1, event_kind, 'x', event_hash, prev_hash, chain_hash, appended_at FROM old WHERE seq = 20;
SELECT finding, seq, detail FROM adopted_findings('old') WHERE seq IS NULL OR finding = 'rows_inserted';
ROLLBACK;

-- Row-level security that hides rows from the owner of the extension, who is no superuser any more.
SET client_min_messages = warning;
DROP EXTENSION auditspine CASCADE;
DROP ROLE IF EXISTS regress_auditspine_owner;
CREATE ROLE regress_auditspine_owner SUPERUSER;
SET ROLE regress_auditspine_owner;
CREATE EXTENSION auditspine;
SELECT outcome, entries, breaks FROM adopt_chain('old');
RESET ROLE;
ALTER ROLE regress_auditspine_owner NOSUPERUSER;
GRANT SELECT ON old TO regress_auditspine_owner;
ALTER TABLE old ENABLE ROW LEVEL SECURITY;
SELECT layer, subject, detail FROM verify_all() WHERE layer = 'adopted';
SELECT k.layer, finding, k.severity = a.severity AS severity FROM auditspine.alert AS a JOIN auditspine.finding_kind AS k USING (finding)
WHERE k.layer = a.layer AND k.layer = 'adopted';
DROP EXTENSION auditspine CASCADE;
DROP OWNED BY regress_auditspine_owner;
DROP ROLE regress_auditspine_owner;
