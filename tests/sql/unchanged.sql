-- The trigger's argument unchanged=skip: an UPDATE that leaves the recorded columns as they were is no event.
CREATE TABLE item (id integer PRIMARY KEY, v text, seen timestamptz, n numeric);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'exclude=seen', 'payload=full', 'unchanged=skip');
CREATE TABLE plain (id integer PRIMARY KEY, v text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON plain
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('plain', 'unchanged=record');
INSERT INTO item VALUES (1, 'a', now(), 1), (2, 'b', now(), 2), (3, NULL, NULL, NULL);
INSERT INTO plain VALUES (1, 'a');
UPDATE item SET seen = now();
UPDATE item SET v = v, n = n + 0;
UPDATE item SET n = 1.0 WHERE id = 1;
UPDATE plain SET v = v;
UPDATE item SET v = 'c' WHERE id = 2;
UPDATE item SET v = '' WHERE id = 3;
UPDATE item SET v = 'x' WHERE id = 1;
UPDATE item SET v = 'a' WHERE id = 1;
UPDATE item SET id = 4 WHERE id = 3;
DELETE FROM item WHERE id = 2;
SELECT event_kind, op, event_pk, payload FROM auditspine.audit_chain WHERE op <> 'S' ORDER BY seq;
SELECT table_name, ok, rows, entries, findings FROM verify_table('item');
-- Whoever writes an excluded column does not have the chain take over what was done behind its back.
ALTER TABLE item DISABLE TRIGGER audit;
UPDATE item SET v = 'forged' WHERE id = 4;
ALTER TABLE item ENABLE TRIGGER audit;
UPDATE item SET seen = now();
SELECT finding, key, recorded ->> 'v' AS recorded, current ->> 'v' AS current FROM verify_table_findings('item');
CREATE TRIGGER wrong AFTER UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION audit_chain_append('plain', 'unchanged=maybe');
UPDATE plain SET v = 'b';
-- The same by audit_attach(), and what it says of it.
CREATE TABLE attached (id integer PRIMARY KEY, v text, seen timestamptz);
SELECT audit_attach('attached', exclude => '{seen}', skip_unchanged => true);
SELECT audit_attach('attached', exclude => '{seen}', skip_unchanged => true) AS again;
SELECT table_name, exclude, skip_unchanged, problem FROM auditspine.audited_table WHERE kind IN ('attached', 'item') ORDER BY kind;
INSERT INTO attached VALUES (1, 'a', now());
UPDATE attached SET seen = now();
UPDATE attached SET v = 'b';
SELECT op, event_pk FROM auditspine.audit_chain WHERE event_kind = 'attached' ORDER BY seq;
SELECT payload ->> 'unchanged' AS unchanged FROM auditspine.audit_chain WHERE event_kind = 'auditspine.attach' AND event_pk = 'attached';
SELECT audit_attach('attached', exclude => '{seen}');
SELECT skip_unchanged FROM auditspine.audited_table WHERE kind = 'attached';
