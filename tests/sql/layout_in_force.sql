-- An entry that names a layout which the table did not have when it was written does not make its row unverifiable.
CREATE TABLE staff (id integer PRIMARY KEY, name text, salary integer);
SELECT audit_attach('staff');
INSERT INTO staff VALUES (1, 'a', 100), (2, 'b', 200);
ALTER TABLE staff ALTER COLUMN salary TYPE bigint;
-- Tampers with the rows, or with where writers find their layout.
CREATE PROCEDURE tamper(target regclass, what text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', target);
    EXECUTE what;
    EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', target);
END $$;
CREATE VIEW findings AS SELECT finding, key, layout, detail FROM verify_table_findings('staff') ORDER BY key;
CREATE VIEW counts AS SELECT rows, edited, unverifiable FROM verify_table('staff');
-- What was recorded before is verified as before.
SELECT * FROM counts;
CREATE TABLE kept AS SELECT * FROM auditspine.layout;

-- The older layout is made to look like the present one; writers name it.
CALL tamper('auditspine.layout', $$
    UPDATE auditspine.layout SET digest = (SELECT digest FROM kept WHERE layout_id = 2) WHERE layout_id = 1;
    DELETE FROM auditspine.layout WHERE layout_id = 2$$);
\c
INSERT INTO staff VALUES (3, 'c', 300), (4, 'd', 400);
SELECT event_pk, layout FROM auditspine.audit_chain WHERE event_kind = 'staff' ORDER BY seq;
-- Nothing was done to the rows.
SELECT * FROM counts;
BEGIN;
CALL tamper('staff', $$UPDATE staff SET salary = 999 WHERE id = 3$$);
CALL tamper('staff', $$UPDATE staff SET name = 'z' WHERE id = 4$$);
SELECT * FROM findings;
SELECT * FROM counts;
ROLLBACK;
-- The same once the layouts are as they were.
CALL tamper('auditspine.layout', 'DELETE FROM auditspine.layout; INSERT INTO auditspine.layout TABLE kept');
CALL tamper('staff', $$UPDATE staff SET name = 'z' WHERE id = 4$$);
SELECT * FROM findings;
SELECT key, finding FROM verify_table_findings('staff', (SELECT max(seq) FROM auditspine.audit_chain)) ORDER BY key;
CALL tamper('staff', $$UPDATE staff SET name = 'd' WHERE id = 4$$);
SELECT * FROM counts;

-- A number that no entry tells.
CALL tamper('auditspine.layout', 'UPDATE auditspine.layout SET layout_id = 77 WHERE layout_id = 2');
\c
INSERT INTO staff VALUES (5, 'e', 500);
SELECT * FROM findings;
CALL tamper('staff', $$UPDATE staff SET name = 'z' WHERE id = 5$$);
SELECT * FROM findings;
CALL tamper('staff', $$UPDATE staff SET name = 'e' WHERE id = 5$$);
CALL tamper('auditspine.layout', 'UPDATE auditspine.layout SET layout_id = 2 WHERE layout_id = 77');

-- Columns altered again, and altered back: what was recorded in between cannot be told any more, wrongly named or not.
\c
ALTER TABLE staff ALTER COLUMN salary TYPE numeric;
INSERT INTO staff VALUES (6, 'f', 600);
ALTER TABLE staff ALTER COLUMN salary TYPE bigint;
CALL tamper('staff', $$UPDATE staff SET name = 'z' WHERE id IN (4, 6)$$);
SELECT * FROM findings WHERE key <> '5';
