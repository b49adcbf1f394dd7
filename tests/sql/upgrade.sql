-- The updates from earlier releases, with data, and that they leave what a fresh install has.
DROP EXTENSION auditspine;
CREATE EXTENSION auditspine VERSION '0.1.0';
CREATE TABLE item (id integer PRIMARY KEY, note text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'payload=full');
ALTER TABLE item ENABLE ALWAYS TRIGGER audit;
SELECT create_chain('ledger', 1);
INSERT INTO item SELECT g, 'note ' || g FROM generate_series(1, 5) g;
UPDATE item SET note = 'changed' WHERE id = 2;
DELETE FROM item WHERE id = 3;
SELECT count(*) AS entries, count(layout) AS with_layout FROM auditspine.audit_chain;
SELECT chain, ok, entries FROM verify_chain() ORDER BY chain COLLATE "C";

ALTER EXTENSION auditspine UPDATE;
SELECT extversion FROM pg_extension WHERE extname = 'auditspine';
-- Entries written before are as they were; those written from now on name their layout.
SELECT chain, ok, entries FROM verify_chain() ORDER BY chain COLLATE "C";
INSERT INTO item VALUES (6, 'note 6');
UPDATE item SET note = 'again' WHERE id = 2;
SELECT op, event_kind, event_pk, layout FROM auditspine.audit_chain ORDER BY seq;
SELECT chain, ok, entries FROM verify_chain() ORDER BY chain COLLATE "C";

-- What is there after an update and after a fresh install.
CREATE VIEW installed AS
SELECT pg_describe_object(classid, objid, objsubid) AS object,
       coalesce(
           CASE WHEN classid = 'pg_proc'::regclass AND (SELECT prokind FROM pg_proc WHERE oid = objid) <> 'a'
                THEN pg_get_functiondef(objid) || (SELECT coalesce(proacl::text, '') FROM pg_proc WHERE oid = objid) END,
           CASE WHEN classid = 'pg_class'::regclass
                THEN (SELECT concat_ws(' ', relkind, relacl, reloptions, relrowsecurity,
                        (SELECT string_agg(concat_ws(' ', attnum, attname, format_type(atttypid, atttypmod), attnotnull,
                                (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum),
                                col_description(attrelid, attnum)), ', ' ORDER BY attnum)
                         FROM pg_attribute WHERE attrelid = objid AND attnum > 0),
                        (SELECT string_agg(pg_get_indexdef(indexrelid), ', ' ORDER BY pg_get_indexdef(indexrelid)) FROM pg_index WHERE indrelid = objid),
                        (SELECT string_agg(conname || ' ' || pg_get_constraintdef(k.oid), ', ' ORDER BY conname) FROM pg_constraint k WHERE conrelid = objid),
                        (SELECT string_agg(tgenabled::text || ' ' || pg_get_triggerdef(t.oid), ', ' ORDER BY tgname) FROM pg_trigger t WHERE tgrelid = objid AND NOT tgisinternal),
                        CASE WHEN relkind = 'v' THEN pg_get_viewdef(objid) END) FROM pg_class WHERE oid = objid) END,
           CASE WHEN classid = 'pg_type'::regclass
                THEN (SELECT string_agg(concat_ws(' ', attnum, attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)), ', ' ORDER BY attnum)
                      FROM pg_attribute JOIN pg_type ON typrelid = attrelid WHERE pg_type.oid = objid) END,
           CASE WHEN classid = 'pg_event_trigger'::regclass
                THEN (SELECT concat_ws(' ', evtevent, evtenabled, evttags, evtfoid::regproc) FROM pg_event_trigger WHERE oid = objid) END, '')
       || coalesce(obj_description(objid, classid::regclass::name), '') AS definition
FROM pg_depend
WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'auditspine');
CREATE VIEW installed_config AS
    SELECT config::regclass::text, condition FROM pg_extension, unnest(extconfig, extcondition) AS u(config, condition) WHERE extname = 'auditspine';
CREATE TABLE updated AS SELECT '0.1.0' AS origin, * FROM installed;
CREATE TABLE updated_config AS SELECT '0.1.0' AS origin, * FROM installed_config;

-- From 0.2.0: what it attached and recorded goes on.
DROP EXTENSION auditspine CASCADE;
CREATE EXTENSION auditspine VERSION '0.2.0';
CREATE TABLE part (id integer PRIMARY KEY, note text);
SELECT audit_attach('part', payload => 'full');
INSERT INTO part SELECT g, 'note ' || g FROM generate_series(1, 5) g;
UPDATE part SET note = 'changed' WHERE id = 2;
SELECT layer, subject, ok, checked, findings FROM verify_all();

ALTER EXTENSION auditspine UPDATE;
SELECT extversion FROM pg_extension WHERE extname = 'auditspine';
INSERT INTO part VALUES (6, 'note 6');
UPDATE part SET note = 'again' WHERE id = 2;
SELECT op, event_kind, event_pk, layout FROM auditspine.audit_chain ORDER BY seq;
SELECT layer, subject, ok, checked, findings FROM verify_all('last');
SELECT layer, subject, ok, checked, findings FROM verify_all();
SELECT audit_attach('part', payload => 'full');
INSERT INTO updated SELECT '0.2.0', * FROM installed;
INSERT INTO updated_config SELECT '0.2.0', * FROM installed_config;

-- From 0.3.0.
DROP EXTENSION auditspine CASCADE;
CREATE EXTENSION auditspine VERSION '0.3.0';
SELECT audit_attach('part', payload => 'full', backfill => true);
UPDATE part SET note = 'once more' WHERE id = 2;
SELECT layer, subject, ok, checked, findings FROM verify_all();

ALTER EXTENSION auditspine UPDATE;
SELECT extversion FROM pg_extension WHERE extname = 'auditspine';
INSERT INTO part VALUES (7, 'note 7');
SELECT op, event_kind, event_pk, layout FROM auditspine.audit_chain ORDER BY seq OFFSET 8;
SELECT layer, subject, ok, checked, findings FROM verify_all('last');
SELECT table_name, ok, rows FROM verify_table('part', chain => 'main');
INSERT INTO updated SELECT '0.3.0', * FROM installed;
INSERT INTO updated_config SELECT '0.3.0', * FROM installed_config;

-- From 0.4.0.
DROP EXTENSION auditspine CASCADE;
CREATE EXTENSION auditspine VERSION '0.4.0';
SELECT audit_attach('part', payload => 'full', backfill => true);
UPDATE part SET note = 'and again' WHERE id = 2;
SELECT layer, subject, ok, checked, findings FROM verify_all();

ALTER EXTENSION auditspine UPDATE;
SELECT extversion FROM pg_extension WHERE extname = 'auditspine';
INSERT INTO part VALUES (8, 'note 8');
SELECT layer, subject, ok, checked, findings FROM verify_all('last');
SELECT layer, subject, ok, checked, findings FROM verify_all();
INSERT INTO updated SELECT '0.4.0', * FROM installed;
INSERT INTO updated_config SELECT '0.4.0', * FROM installed_config;

DROP EXTENSION auditspine CASCADE;
CREATE EXTENSION auditspine;
\pset format unaligned
SELECT 'only after the update' AS what, * FROM (
    SELECT * FROM updated EXCEPT SELECT origin, i.* FROM installed i CROSS JOIN (VALUES ('0.1.0'), ('0.2.0'), ('0.3.0'), ('0.4.0')) v (origin)) u
UNION ALL
SELECT 'only in a fresh install', * FROM (
    SELECT origin, i.* FROM installed i CROSS JOIN (VALUES ('0.1.0'), ('0.2.0'), ('0.3.0'), ('0.4.0')) v (origin) EXCEPT SELECT * FROM updated) f;
SELECT origin, count(*) > 50 AS compared FROM updated GROUP BY origin ORDER BY origin;
SELECT 'only after the update' AS what, * FROM (
    SELECT * FROM updated_config EXCEPT SELECT origin, i.* FROM installed_config i CROSS JOIN (VALUES ('0.1.0'), ('0.2.0'), ('0.3.0'), ('0.4.0')) v (origin)) u
UNION ALL
SELECT 'only in a fresh install', * FROM (
    SELECT origin, i.* FROM installed_config i CROSS JOIN (VALUES ('0.1.0'), ('0.2.0'), ('0.3.0'), ('0.4.0')) v (origin) EXCEPT SELECT * FROM updated_config) f;
