-- A payload that was kept and is gone: a finding, unless an entry says that it was erased.
CREATE TABLE person (id integer PRIMARY KEY, name text);
SELECT audit_attach('person', payload => 'full');
INSERT INTO person VALUES (1, 'ann'), (2, 'bob'), (3, 'cem'), (4, 'dan');
UPDATE person SET name = 'anna' WHERE id = 1;
DELETE FROM person WHERE id = 4;
SELECT (audit_chain_append('note', 'n1', '{"about": "ann"}')).pos > 0 AS appended;
CREATE VIEW links AS SELECT finding, seq, event_kind, event_pk, detail FROM chain_findings() ORDER BY seq;
CREATE PROCEDURE tamper(what text) LANGUAGE plpgsql AS $$
BEGIN
    ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
    EXECUTE what;
    ALTER TABLE auditspine.audit_chain ENABLE ALWAYS TRIGGER append_only;
END $$;
SELECT tgenabled FROM pg_trigger WHERE tgname = 'append_only' AND tgrelid = 'auditspine.audit_chain'::regclass;

-- On record: payloads go, of every entry of the row, hashes stay, and the rest is verified as before.
SELECT audit_erase('person', '1', 'request 17');
SELECT op, event_pk, payload IS NULL AS erased FROM auditspine.audit_chain WHERE event_kind = 'person' ORDER BY seq;
SELECT op, event_pk, payload FROM auditspine.audit_chain WHERE event_kind = 'auditspine.erasure';
SELECT audit_erase('note', 'n1', 'request 17');
SELECT * FROM links;
SELECT ok, findings FROM verify_table('person');
-- Nothing is left to be erased, and nothing is recorded.
SELECT audit_erase('person', '1', 'request 17'), audit_erase('person', '77', 'request 17');
SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'auditspine.erasure';
CREATE TABLE plain (id integer PRIMARY KEY, name text);
SELECT audit_attach('plain');
INSERT INTO plain VALUES (1, 'ann');
SELECT audit_erase('plain', '1', 'nothing is kept there');
SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'auditspine.erasure';
-- The row is still held against the hash; what is written to it is kept again, and can be erased again.
UPDATE person SET name = 'annika' WHERE id = 1;
SELECT audit_erase('person', '1', 'request 18');
SELECT * FROM links;
-- In one transaction with the change.
BEGIN;
INSERT INTO person VALUES (5, 'eva');
SELECT audit_erase('person', '5', 'request 19');
COMMIT;
SELECT count(*) FILTER (WHERE payload IS NULL) AS erased FROM auditspine.audit_chain WHERE event_kind = 'person' AND event_pk = '5';
BEGIN;
SELECT audit_erase('person', '2', 'never');
ROLLBACK;
SELECT * FROM links;

-- The last entry of a chain, which a run has ended with.
SELECT create_chain('notes', 1) > 0 AS made;
SELECT (audit_chain_append('note', 'n2', '{"about": "bob"}', 'notes')).pos;
SELECT layer, subject, ok FROM verify_all() WHERE subject = 'notes';
SELECT audit_erase('note', 'n2', 'request 18');
SELECT layer, subject, ok FROM verify_all('last') WHERE layer = 'links' ORDER BY subject;

-- Not on record: of whatever entry.
CALL tamper($$UPDATE auditspine.audit_chain SET payload = NULL WHERE event_kind = 'person' AND event_pk IN ('2', '4')$$);
CALL tamper($$UPDATE auditspine.audit_chain SET payload = NULL WHERE event_kind = 'auditspine.erasure' AND event_pk = 'note'$$);
SELECT * FROM links;
SELECT layer, subject, ok, findings FROM verify_all() WHERE layer = 'links' ORDER BY subject;
SELECT finding, kind, pk FROM auditspine.alert WHERE layer = 'links' ORDER BY seq;
-- Recorded afterwards, it was meant.
SELECT audit_erase('person', '2', 'request 20, recorded late'), audit_erase('person', '4', 'request 20, recorded late');
SELECT finding, event_kind FROM links;

-- Where hashes alone are kept there is nothing to lose; what was kept before or after is.
CREATE TABLE changing (id integer PRIMARY KEY, v text);
SELECT audit_attach('changing');
INSERT INTO changing VALUES (1, 'a');
SELECT audit_attach('changing', payload => 'full');
INSERT INTO changing VALUES (2, 'b');
SELECT audit_attach('changing');
INSERT INTO changing VALUES (3, 'c');
CALL tamper($$UPDATE auditspine.audit_chain SET payload = NULL WHERE event_kind = 'changing'$$);
SELECT finding, event_pk FROM links WHERE event_kind = 'changing';

-- What is refused.
SELECT audit_erase('person', '3', ' ');
SELECT audit_erase('person', NULL, 'why');
SELECT audit_erase('auditspine.attach', 'person', 'why');
UPDATE auditspine.audit_chain SET payload = NULL;
CREATE ROLE erase_nobody;
SET ROLE erase_nobody;
SELECT audit_erase('person', '3', 'why');
RESET ROLE;
DROP ROLE erase_nobody;
