-- A kind's earlier lives stay accounted for: tables made anew, attached under another kind, detached, and columns that
-- were left out for a while.
CREATE FUNCTION tamper(target regclass, statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER auditspine_audit', target);
    EXECUTE statement;
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER auditspine_audit', target);
END $$;
CREATE VIEW wrong AS SELECT layer, subject, findings, detail FROM verify_all() WHERE NOT ok ORDER BY layer, subject;

-- A table is dropped and made anew under another kind: the old one is missed until it is said that this was meant.
CREATE TABLE staff (id integer PRIMARY KEY, salary integer);
SELECT audit_attach('staff');
INSERT INTO staff VALUES (1, 100), (2, 200);
DROP TABLE staff;
CREATE TABLE staff (id integer PRIMARY KEY, salary integer);
INSERT INTO staff VALUES (1, 999);
SELECT audit_attach('staff', kind => 'personnel', backfill => true);
TABLE wrong;
SELECT kind, ok, findings FROM verify_table('staff');
SELECT audit_detach_kind('staff');
TABLE wrong;

-- Under the same kind its rows are held against what was recorded before.
CREATE TABLE depot (id integer PRIMARY KEY, v integer);
SELECT audit_attach('depot');
INSERT INTO depot VALUES (1, 100), (2, 200);
DROP TABLE depot;
CREATE TABLE depot (id integer PRIMARY KEY, v integer);
INSERT INTO depot VALUES (1, 999);
SELECT audit_attach('depot', backfill => true);
SELECT edited, deleted, unrecorded FROM verify_table('depot');
SELECT audit_detach('depot');
TABLE wrong;
SELECT audit_detach_kind('depot');
TABLE wrong;

-- A trigger made by hand in the place of ours, under another kind.
CREATE TABLE stock (id integer PRIMARY KEY, v integer);
SELECT audit_attach('stock');
INSERT INTO stock VALUES (1, 1);
DROP TRIGGER auditspine_audit ON stock;
CREATE TRIGGER auditspine_audit AFTER INSERT OR UPDATE OR DELETE ON stock FOR EACH ROW EXECUTE FUNCTION audit_chain_append('store');
ALTER TABLE stock ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT finding, detail FROM verify_table_findings('stock') ORDER BY finding, detail;
DROP TABLE stock;
SELECT audit_detach_kind('stock'), audit_detach_kind('store');
TABLE wrong;

-- Tampered with, and attached under another kind: the entry that ends the old one tells.
CREATE TABLE item (id integer PRIMARY KEY, v integer);
SELECT audit_attach('item');
INSERT INTO item VALUES (1, 1), (2, 2), (3, 3);
SELECT tamper('item', 'UPDATE item SET v = 9 WHERE id = 1'), tamper('item', 'DELETE FROM item WHERE id = 2'),
       tamper('item', 'INSERT INTO item VALUES (4, 4)');
SELECT audit_attach('item', kind => 'thing', backfill => true);
SELECT payload FROM auditspine.audit_chain WHERE event_kind = 'auditspine.detach' AND event_pk = 'item';
TABLE wrong;
SELECT audit_detach_kind('item');
TABLE wrong;
SELECT audit_detach_kind('item');
-- The same of a detachment, and of attaching again later.
SELECT tamper('item', 'UPDATE item SET v = 10 WHERE id = 1');
SELECT audit_detach('item');
TABLE wrong;
SELECT audit_attach('item', kind => 'thing', backfill => true);
TABLE wrong;
UPDATE item SET v = v;
TABLE wrong;

-- In order, kinds come and go without a word.
CREATE TABLE part (id integer PRIMARY KEY, v integer) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
SELECT audit_attach('part');
INSERT INTO part VALUES (1, 1), (2, 2);
SELECT audit_attach('part', kind => 'piece', backfill => true);
UPDATE part SET v = 3;
SELECT audit_detach('part');
UPDATE part SET v = 4;
SELECT audit_attach('part', kind => 'portion', backfill => true);
SELECT payload -> 'findings' AS findings FROM auditspine.audit_chain WHERE event_kind = 'auditspine.detach' AND event_pk IN ('part', 'piece');
TABLE wrong;

-- A column that was left out for a while is not vouched for until the row is written again.
CREATE TABLE payroll (id integer PRIMARY KEY, name text, salary integer, note text);
SELECT audit_attach('payroll');
INSERT INTO payroll VALUES (1, 'a', 100), (2, 'b', 200);
SELECT audit_attach('payroll', exclude => '{salary}');
UPDATE payroll SET name = name, salary = 999 WHERE id = 1;
INSERT INTO payroll VALUES (3, 'c', 300);
SELECT audit_attach('payroll');
SELECT ok, rows, edited, unverifiable FROM verify_table('payroll');
SELECT finding, key, detail FROM verify_table_findings('payroll') ORDER BY key;
SELECT tamper('payroll', 'UPDATE payroll SET name = ''x'' WHERE id = 3');
SELECT finding, key, detail FROM verify_table_findings('payroll') ORDER BY key;
SELECT tamper('payroll', 'UPDATE payroll SET name = ''c'' WHERE id = 3');
UPDATE payroll SET note = 'seen';
SELECT ok, rows, edited, unverifiable FROM verify_table('payroll');
-- One that is added later is another matter.
ALTER TABLE payroll ADD COLUMN grade integer;
SELECT ok, rows, edited, unverifiable FROM verify_table('payroll');
