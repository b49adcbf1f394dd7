-- State is read from its own tables alone: rows in tables that inherit from them vouch for nothing.
CREATE TABLE staff (id integer PRIMARY KEY, salary integer);
SELECT audit_attach('staff', payload => 'full');
INSERT INTO staff VALUES (1, 100), (2, 200), (3, 300);
SELECT trust_key(E'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n') IS NOT NULL AS trusted;
SELECT ok FROM verify_all();
SELECT ok FROM verify_all('last');

-- Every state table gets a child.
SELECT format('CREATE TABLE %I () INHERITS (auditspine.%I)', 'child_of_' || relname, relname)
FROM pg_class WHERE relnamespace = 'auditspine'::regnamespace AND relkind = 'r'
ORDER BY relname COLLATE "C" \gexec

-- An entry of a row that was edited, one of a TRUNCATE, and one that ends the audit of the table.
ALTER TABLE staff DISABLE TRIGGER auditspine_audit;
UPDATE staff SET salary = 999 WHERE id = 1;
DELETE FROM staff WHERE id = 2;
ALTER TABLE staff ENABLE ALWAYS TRIGGER auditspine_audit;
INSERT INTO child_of_audit_chain
SELECT seq + 1000, chain_id, 5, pos, version, 'U', event_kind, event_pk, xid, appended_at, db_user, actor, context, layout,
       to_jsonb(s), canonical_row_hash(s), event_hash, prev_hash, chain_hash
FROM ONLY auditspine.audit_chain JOIN staff AS s ON s.id = 1
WHERE event_kind = 'staff' AND event_pk = '1';
INSERT INTO child_of_audit_chain
SELECT seq + 1000, chain_id, 6, pos, version, 'T', event_kind, 'public.staff', xid, appended_at, db_user, actor, context, NULL,
       NULL, sha256('null'), event_hash, prev_hash, chain_hash
FROM ONLY auditspine.audit_chain WHERE event_kind = 'staff' AND event_pk = '2';
INSERT INTO child_of_audit_chain
SELECT seq + 1000, chain_id, 7, pos, version, 'S', 'auditspine.adopt', 'public.nothing', xid, appended_at, db_user, actor, context,
       NULL, '{}', sha256('{}'), event_hash, prev_hash, chain_hash
FROM ONLY auditspine.audit_chain WHERE event_kind = 'staff' AND event_pk = '2';
SELECT key, finding FROM verify_table_findings('staff') ORDER BY key;
SELECT chain, ok FROM verify_chain();
SELECT seq > 1000 AS from_child, op, payload FROM audit_history('staff', '1');
SELECT op, event_pk FROM auditspine.removals('staff');
SELECT kind, entries FROM auditspine.audited_table;
SET client_min_messages = warning;
CALL audit_backfill('staff');
RESET client_min_messages;

-- Chains, layouts, keys, heads, runs, alerts, publications.
INSERT INTO child_of_chain VALUES (77, 'planted', 1);
SELECT DISTINCT chain FROM verify_chain();
SELECT chain FROM verify_chain('planted');
INSERT INTO child_of_layout SELECT 77, relation, digest, 'planted', created_at FROM auditspine.layout LIMIT 1;
SELECT audit_detach_kind('planted');
INSERT INTO child_of_trusted_key
SELECT repeat('0', 64), algorithm, pem, valid_from, valid_until, revoked_at, revoke_reason, comment, added_at, added_by
FROM ONLY auditspine.trusted_key;
SELECT revoke_key(repeat('0', 64), 'not there');
INSERT INTO child_of_verified_head SELECT chain_id, 9, pos + 1000, seq + 1000, chain_hash FROM ONLY auditspine.verified_head;
INSERT INTO child_of_publication VALUES (1, now(), '/nowhere', 'main', 1, 0, 1000, 1000, '\x00', 'nobody');
SELECT layer, subject, ok FROM verify_all('last') WHERE layer IN ('links', 'keys', 'adopted')
ORDER BY layer, subject;
-- A break that children know already is raised all the same.
BEGIN;
SELECT count(*) > 0 AS broken FROM verify_all() WHERE NOT ok;
SELECT a.break_digest AS digest FROM ONLY auditspine.alert AS a WHERE a.finding = 'row_edited' \gset
ROLLBACK;
INSERT INTO child_of_alert (alert_id, raised_at, kind, severity, layer, finding, detail, evidence, verification_id, break_digest, occurrence)
VALUES (1000, now(), 'k', 's', 'rows', 'row_edited', 'd', '{}', 1, :'digest', 7);
INSERT INTO child_of_open_break SELECT (jsonb_populate_record(NULL::auditspine.open_break, to_jsonb(a))).* FROM child_of_alert AS a;
SELECT count(*) FROM verify_all() WHERE NOT ok AND layer = 'rows';
SELECT finding, pk, occurrence FROM ONLY auditspine.alert WHERE layer = 'rows' ORDER BY pk;
