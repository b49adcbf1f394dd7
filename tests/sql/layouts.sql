-- Layouts as they are written: each set of columns that rows are hashed under is recorded once, as an
-- S entry on chain main, and named by the entries of the rows.
CREATE VIEW recorded AS
SELECT layout_id, relation,
       (SELECT string_agg(format('%s %s %s', c ->> 'attnum', c ->> 'name', c ->> 'type'), ', ' ORDER BY (c ->> 'attnum')::int)
        FROM jsonb_array_elements(e.payload -> 'columns') c) AS columns,
       (SELECT string_agg(regexp_replace(s.value::text, '"(typ|o)id": "[0-9]{5,}"', '"\1id": …', 'g'), ', ' ORDER BY s.value ->> 'type')
        FROM jsonb_each(e.payload -> 'shapes') s) AS shapes
FROM auditspine.layout l
JOIN auditspine.audit_chain e ON e.op = 'S' AND e.event_kind = 'auditspine.layout' AND e.event_pk = layout_id::text;

CREATE TABLE item (id integer PRIMARY KEY, note text, price numeric(10, 2), secret text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'exclude=secret');
INSERT INTO item VALUES (1, 'one', 1);
INSERT INTO item VALUES (2, 'two', 2);
SELECT seq, op, event_kind, event_pk, layout, payload IS NOT NULL AS kept FROM auditspine.audit_chain ORDER BY seq;
SELECT layout_id, relation, columns FROM recorded ORDER BY layout_id;

-- What the entry says, and that table and entry agree.
SELECT e.payload - 'oid' - 'system' AS payload, (e.payload ->> 'oid')::oid = 'item'::regclass AS oid,
       e.payload ->> 'system' = (SELECT system_identifier::text FROM pg_control_system()) AS system,
       canonical_json_hash(e.payload) = e.payload_hash AS hash, canonical_json_hash(e.payload - 'table') = l.digest AS digest, kind
FROM auditspine.audit_chain e JOIN auditspine.layout l ON e.event_pk = layout_id::text WHERE op = 'S';

-- Every change of the columns is a layout, going back to earlier ones too: values may have changed meanwhile.
ALTER TABLE item ADD COLUMN added date;
INSERT INTO item VALUES (3);
ALTER TABLE item RENAME COLUMN note TO remark;
INSERT INTO item VALUES (4);
ALTER TABLE item ALTER COLUMN price TYPE numeric(12, 4);
INSERT INTO item VALUES (5);
ALTER TABLE item DROP COLUMN added;
INSERT INTO item VALUES (6);
ALTER TABLE item ALTER COLUMN price TYPE numeric(10, 2), ADD COLUMN other xid8 DEFAULT '7';
ALTER TABLE item DROP COLUMN other;
ALTER TABLE item RENAME COLUMN remark TO note;
INSERT INTO item VALUES (7);
-- What is excluded makes no difference, nor do renaming and moving the table.
ALTER TABLE item DROP COLUMN secret, ADD COLUMN secret bytea;
CREATE SCHEMA elsewhere;
ALTER TABLE item SET SCHEMA elsewhere;
ALTER TABLE elsewhere.item RENAME TO thing;
INSERT INTO elsewhere.thing VALUES (8);
SELECT event_pk, layout FROM auditspine.audit_chain WHERE op <> 'S' ORDER BY seq;
SELECT layout_id, relation, columns FROM recorded ORDER BY layout_id;

-- Types that change by themselves.
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TYPE point3 AS (x integer, y integer);
CREATE TABLE shaped (id integer PRIMARY KEY, c colour, p point3, ps point3[]);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON shaped
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('shaped');
INSERT INTO shaped VALUES (1, 'red', (1, 2), ARRAY[(1, 2)::point3]);
ALTER TYPE colour RENAME VALUE 'red' TO 'crimson';
INSERT INTO shaped VALUES (2, 'crimson', (1, 2));
ALTER TYPE point3 ADD ATTRIBUTE z text;
INSERT INTO shaped VALUES (3, 'green', (1, 2, 'three'));
SELECT event_pk, layout FROM auditspine.audit_chain WHERE event_kind = 'shaped' ORDER BY seq;
SELECT * FROM recorded WHERE relation = 'shaped'::regclass ORDER BY layout_id;

-- What is rolled back is not recorded, and is recorded when it is needed again.
CREATE TABLE undone (id integer PRIMARY KEY);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON undone FOR EACH ROW EXECUTE FUNCTION audit_chain_append('undone');
BEGIN;
INSERT INTO undone VALUES (1);
ROLLBACK;
SELECT count(*) FROM auditspine.layout WHERE kind = 'undone';
BEGIN;
SAVEPOINT s;
INSERT INTO undone VALUES (2);
ROLLBACK TO s;
INSERT INTO undone VALUES (3);
COMMIT;
BEGIN;
SAVEPOINT s;
ALTER TABLE undone ADD COLUMN c text;
INSERT INTO undone VALUES (4);
SELECT audit_flush();
ROLLBACK TO s;
INSERT INTO undone VALUES (5);
COMMIT;
SELECT e.event_pk, e.layout IS NOT NULL AS named, l.kind, r.columns
FROM auditspine.audit_chain e JOIN auditspine.layout l ON l.layout_id = e.layout JOIN recorded r USING (layout_id)
WHERE e.event_kind = 'undone' ORDER BY e.seq;
SELECT count(*) AS layouts FROM auditspine.layout WHERE kind = 'undone';

-- Each partition has its own: its columns may have other numbers.
CREATE TABLE whole (id integer, part integer, note text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE part_one PARTITION OF whole FOR VALUES IN (1);
CREATE TABLE part_two (gone integer, note text, part integer NOT NULL, id integer NOT NULL);
ALTER TABLE part_two DROP COLUMN gone;
ALTER TABLE whole ATTACH PARTITION part_two FOR VALUES IN (2);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON whole FOR EACH ROW EXECUTE FUNCTION audit_chain_append('whole');
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON part_two FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append('whole');
INSERT INTO whole VALUES (1, 1, 'a'), (2, 1, 'a'), (3, 2, 'a');
UPDATE whole SET part = 2 WHERE id = 2;
TRUNCATE part_two;
SELECT op, event_pk, l.relation, e.payload ->> 'layouts' = format('[%s]', (SELECT layout_id FROM auditspine.layout WHERE relation = 'part_two'::regclass)) AS of_part_two
FROM auditspine.audit_chain e LEFT JOIN auditspine.layout l ON l.layout_id = e.layout WHERE event_kind = 'whole' ORDER BY seq;
SELECT relation, columns FROM recorded WHERE relation IN ('part_one'::regclass, 'part_two'::regclass) ORDER BY layout_id;

SELECT chain, ok, findings FROM verify_chain();
