-- Partitions of audited tables: present and future ones, nested, attached, detached, truncated, dropped.
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN state || ': ' || message || CASE WHEN hint <> '' THEN E'\n  hint: ' || hint ELSE '' END;
END $$;
CREATE TABLE event (id integer NOT NULL, at date NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
-- Triggers of a table and its partitions, in short: a star is one that fires always, a c one that was cloned.
CREATE FUNCTION triggers(root text DEFAULT 'event') RETURNS TABLE (relation regclass, triggers text) LANGUAGE sql AS $$
    SELECT m.relid::regclass, string_agg(replace(t.tgname, 'auditspine_', '') || CASE t.tgenabled WHEN 'A' THEN '*' ELSE t.tgenabled::text END
                               || CASE WHEN t.tgparentid <> 0 THEN 'c' ELSE '' END, ' ' ORDER BY t.tgname)
    FROM (SELECT root::regclass UNION SELECT relid FROM pg_partition_tree(root::regclass)) AS m (relid) LEFT JOIN pg_trigger t ON t.tgrelid = m.relid
    GROUP BY m.relid ORDER BY m.relid::regclass::text COLLATE "C";
$$;
-- Entries since the last look. Layouts are named by the table whose rows they are of.
CREATE SEQUENCE seen MINVALUE 0;
SELECT setval('seen', 0);
CREATE VIEW layout_names AS
    SELECT layout_id, coalesce((SELECT oid::regclass::text FROM pg_class WHERE oid = relation), 'gone') || ' ' || row_number() OVER (PARTITION BY relation ORDER BY layout_id) AS layout_name
    FROM auditspine.layout;
CREATE FUNCTION fresh() RETURNS TABLE (op "char", kind text, pk text, layout text, payload text) LANGUAGE sql AS $$
    SELECT setval('seen', (SELECT max(seq) FROM auditspine.audit_chain)) FROM (SELECT pg_sleep(0)) AS later WHERE false;
    SELECT e.op, e.event_kind, CASE WHEN e.event_kind = 'auditspine.layout' THEN '' ELSE e.event_pk END, layout_name,
           CASE WHEN e.event_kind = 'auditspine.layout' THEN
                     (SELECT string_agg(c ->> 'name', ' ' ORDER BY o) FROM jsonb_array_elements(e.payload -> 'columns') WITH ORDINALITY AS x (c, o))
                WHEN e.payload ? 'layouts' THEN (SELECT string_agg(n.layout_name, ', ' ORDER BY n.layout_name COLLATE "C")
                                                 FROM jsonb_array_elements_text(e.payload -> 'layouts') AS x (id) JOIN layout_names n ON layout_id = x.id::int)
                ELSE (e.payload - '{pk,chain,chain_by,exclude,payload,kind}'::text[])::text END
    FROM auditspine.audit_chain e LEFT JOIN layout_names ON layout_id = e.layout
    WHERE e.seq > (SELECT last_value FROM seen)
    ORDER BY e.seq;
$$;
CREATE FUNCTION look() RETURNS TABLE (op "char", kind text, pk text, layout text, payload text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM fresh();
    PERFORM setval('seen', (SELECT max(seq) FROM auditspine.audit_chain));
END $$;
CREATE VIEW verdict AS SELECT kind, ok, rows, edited, deleted, unrecorded, unverifiable FROM verify_table('event'::text::regclass);

--
-- Partitions that are there, nested ones and a default one.
--
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (id);
CREATE TABLE event_2025_1 PARTITION OF event_2025 FOR VALUES IN (1, 2, 3);
CREATE TABLE event_rest PARTITION OF event DEFAULT;
INSERT INTO event VALUES (1, '2024-02-02', 'early'), (2, '2025-02-02', 'nested');
SELECT audit_attach('event', backfill => true);
SELECT * FROM triggers();
SELECT * FROM look();
INSERT INTO event VALUES (3, '2025-03-03', 'nested too'), (4, '2030-01-01', 'rest');
INSERT INTO event_2024 VALUES (5, '2024-05-05', 'direct');
UPDATE event SET at = '2024-06-06' WHERE id = 4;
SELECT * FROM look();
TABLE verdict;
SELECT audit_attach('event');
SELECT table_name, kind, pk, enabled, truncate_covered, partitions, entries FROM auditspine.audited_table;

--
-- Partitions that come.
--
CREATE TABLE event_2025_2 PARTITION OF event_2025 FOR VALUES IN (4, 5, 6);
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (id);
CREATE TABLE event_2026_1 PARTITION OF event_2026 DEFAULT;
CREATE SCHEMA more
    CREATE TABLE event_2027 PARTITION OF public.event FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
INSERT INTO event VALUES (6, '2025-06-06', 'new nested'), (7, '2026-07-07', 'new'), (8, '2027-08-08', 'other schema');
SELECT * FROM triggers();
SELECT * FROM look();
TABLE verdict;
-- With rows, and columns in another order.
CREATE TABLE loose (note text, at date NOT NULL, gone integer, id integer NOT NULL);
ALTER TABLE loose DROP COLUMN gone;
INSERT INTO loose VALUES ('came along', '2028-01-01', 10), ('came too', '2028-02-02', 11);
ALTER TABLE event ATTACH PARTITION loose FOR VALUES FROM ('2028-01-01') TO ('2029-01-01');
SELECT * FROM triggers() WHERE relation = 'loose'::regclass;
SELECT * FROM look();
TABLE verdict;
UPDATE event SET note = 'changed' WHERE id = 10;
TABLE verdict;
-- A partitioned one with its own partitions; without rows.
CREATE TABLE tree (LIKE event) PARTITION BY LIST (id);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES IN (1);
CREATE TABLE tree_2 PARTITION OF tree FOR VALUES IN (2) PARTITION BY LIST (id);
CREATE TABLE tree_22 PARTITION OF tree_2 DEFAULT;
INSERT INTO tree VALUES (2, '2029-09-09', 'deep');
ALTER TABLE event ATTACH PARTITION tree FOR VALUES FROM ('2029-01-01') TO ('2030-01-01');
SELECT * FROM triggers() WHERE relation::text LIKE 'tree%';
CREATE TABLE empty (LIKE event);
ALTER TABLE event_2025 ATTACH PARTITION empty FOR VALUES IN (77);
SELECT * FROM look();
TABLE verdict;
SELECT audit_attach('event');

--
-- Partitions that go.
--
ALTER TABLE event DETACH PARTITION loose;
SELECT * FROM triggers('loose');
SELECT * FROM look();
INSERT INTO loose VALUES ('outside', '2028-03-03', 12);
UPDATE loose SET note = 'changed outside' WHERE id = 11;
TABLE verdict;
-- It comes back, as it is now.
ALTER TABLE event ATTACH PARTITION loose FOR VALUES FROM ('2028-01-01') TO ('2029-01-01');
SELECT * FROM look();
TABLE verdict;
-- A nested one, without a gap for others, and a subtree.
ALTER TABLE event_2025 DETACH PARTITION event_2025_2 CONCURRENTLY;
ALTER TABLE event DETACH PARTITION tree;
SELECT * FROM triggers('tree');
SELECT * FROM look();
TABLE verdict;
SELECT * FROM triggers('event_2025_2');
-- Rolled back, nothing happened.
BEGIN;
ALTER TABLE event DETACH PARTITION loose;
ROLLBACK;
BEGIN;
SAVEPOINT s;
ALTER TABLE event DETACH PARTITION loose;
ROLLBACK TO s;
INSERT INTO event VALUES (13, '2028-04-04', 'still in');
COMMIT;
SELECT * FROM look();
TABLE verdict;
-- In one transaction with changes before and after.
BEGIN;
UPDATE event SET note = 'before' WHERE id = 13;
ALTER TABLE event DETACH PARTITION loose;
INSERT INTO loose VALUES ('between', '2028-05-05', 14);
ALTER TABLE event ATTACH PARTITION loose FOR VALUES FROM ('2028-01-01') TO ('2029-01-01');
DELETE FROM event WHERE id = 14;
COMMIT;
SELECT * FROM look();
TABLE verdict;
-- Dropped with its rows: an entry says so (dropped_partitions).
DROP TABLE more.event_2027;
SELECT * FROM look();
TABLE verdict;
SELECT finding, key FROM verify_table_findings('event');
CREATE TABLE more.event_2027 PARTITION OF event FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
INSERT INTO event VALUES (8, '2027-08-08', 'again');
TABLE verdict;

--
-- TRUNCATE: of one partition, of a subtree, of all.
--
SELECT count(*) >= 0 AS looked FROM look();
TRUNCATE loose;
SELECT * FROM look();
TABLE verdict;
TRUNCATE event_2025;
SELECT * FROM look();
TABLE verdict;
INSERT INTO event VALUES (2, '2025-02-02', 'again');
TABLE verdict;
TRUNCATE event;
SELECT op, count(*), count(*) FILTER (WHERE payload IS NULL) AS of_all FROM look() GROUP BY op;
TABLE verdict;

--
-- Columns.
--
INSERT INTO event VALUES (1, '2024-02-02', 'early'), (3, '2025-03-03', 'nested');
SELECT count(*) >= 0 AS looked FROM look();
ALTER TABLE event ADD COLUMN extra integer DEFAULT 7;
SELECT count(*), max(payload) FROM look();
ALTER TABLE event RENAME COLUMN note TO remark;
ALTER TABLE event ALTER COLUMN remark TYPE varchar(100);
ALTER TABLE event ADD COLUMN extra2 text, DROP COLUMN extra;
SELECT DISTINCT payload FROM look() ORDER BY payload;
TABLE verdict;
ALTER TABLE event RENAME COLUMN remark TO note;
ALTER TABLE event SET SCHEMA more;
ALTER TABLE more.event SET SCHEMA public;
ALTER TABLE event RENAME TO renamed;
ALTER TABLE renamed RENAME TO event;
ALTER TABLE event ADD CONSTRAINT positive CHECK (id > 0), ALTER COLUMN note SET STATISTICS 100;
SELECT DISTINCT op, kind, payload FROM look() ORDER BY payload;
-- One that the trigger names: its arguments follow. Dropped, the command goes through, with a word.
CREATE TABLE named (id integer PRIMARY KEY, secret text, tenant text);
SELECT audit_attach('named', pk => '{id}', exclude => '{secret}', chain_by => '{tenant}');
ALTER TABLE named RENAME COLUMN secret TO hidden;
SELECT attempt('INSERT INTO named VALUES (1)');
SELECT audit_attach('named', pk => '{id}', exclude => '{hidden}', chain_by => '{tenant}');
ALTER TABLE named DROP COLUMN tenant;
ALTER TABLE named DROP COLUMN id;
SELECT attempt('INSERT INTO named VALUES (1)');
SELECT problem FROM auditspine.audited_table WHERE kind = 'named';
DROP TABLE named;
SELECT audit_detach_kind('named');

--
-- What cannot be audited cannot come in.
--
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE UNLOGGED TABLE unlogged (LIKE event INCLUDING ALL);
CREATE FOREIGN TABLE far (id integer NOT NULL, at date NOT NULL, note varchar(100), extra2 text) SERVER nowhere;
CREATE TABLE audited_itself (LIKE event INCLUDING ALL);
SELECT audit_attach('audited_itself');
\pset format unaligned
\pset tuples_only on
SELECT command || E'\n  ' || attempt(command) FROM unnest(ARRAY[
    $$CREATE UNLOGGED TABLE event_2031 PARTITION OF event FOR VALUES FROM ('2031-01-01') TO ('2032-01-01')$$,
    $$ALTER TABLE event ATTACH PARTITION unlogged FOR VALUES FROM ('2031-01-01') TO ('2032-01-01')$$,
    $$ALTER TABLE event ATTACH PARTITION audited_itself FOR VALUES FROM ('2031-01-01') TO ('2032-01-01')$$,
    $$SELECT audit_detach('event_2024')$$
]) AS command;
\pset format aligned
\pset tuples_only off
SELECT audit_detach('audited_itself');
-- (A foreign table can be a partition only where there is no unique index.)
ALTER TABLE event DROP CONSTRAINT event_pkey, DROP CONSTRAINT positive;
CREATE TABLE event_2030 PARTITION OF event FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
SELECT attempt($$ALTER TABLE event ATTACH PARTITION far FOR VALUES FROM ('2031-01-01') TO ('2032-01-01')$$);
SELECT attempt($$CREATE FOREIGN TABLE far2 PARTITION OF event FOR VALUES FROM ('2031-01-01') TO ('2032-01-01') SERVER nowhere$$);
ALTER TABLE event ADD PRIMARY KEY (id, at);
SELECT * FROM look() WHERE kind <> 'auditspine.layout';

--
-- Append-only covers partitions, too.
--
SELECT audit_attach('event', append_only => true);
CREATE TABLE event_2033 PARTITION OF event FOR VALUES FROM ('2033-01-01') TO ('2034-01-01');
INSERT INTO event VALUES (33, '2033-03-03');
SELECT * FROM triggers() WHERE relation::text IN ('event', 'event_2025', 'event_2025_1', 'event_2033');
\pset format unaligned
\pset tuples_only on
SELECT command || E'\n  ' || attempt(command) FROM unnest(ARRAY[
    'UPDATE event SET note = 1 WHERE id = 33', 'DELETE FROM event_2033', 'TRUNCATE event_2033', 'TRUNCATE event_2025', 'TRUNCATE event',
    $$UPDATE event SET at = '2024-12-12' WHERE id = 33$$
]) AS command;
\pset format aligned
\pset tuples_only off
ALTER TABLE event DETACH PARTITION event_2033;
SELECT * FROM triggers('event_2033');
DELETE FROM event_2033;
SELECT audit_attach('event');
SELECT DISTINCT triggers FROM triggers() ORDER BY 1;
TABLE verdict;
SELECT audit_detach('event');
SELECT DISTINCT triggers FROM triggers();
CREATE TABLE event_2034 PARTITION OF event FOR VALUES FROM ('2034-01-01') TO ('2035-01-01');
SELECT * FROM triggers('event_2034');
DROP TABLE event, tree, event_2025_2, event_2033;
SELECT count(*) >= 0 AS looked FROM look();

--
-- Triggers written by hand: with one for TRUNCATE, and without.
--
CREATE TABLE hand (id integer, v integer, PRIMARY KEY (id)) PARTITION BY LIST (id);
CREATE TRIGGER mine AFTER INSERT OR UPDATE OR DELETE ON hand FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
CREATE TABLE hand_1 PARTITION OF hand FOR VALUES IN (1);
CREATE TABLE hand_2 (LIKE hand);
INSERT INTO hand_2 VALUES (2, 2);
ALTER TABLE hand ATTACH PARTITION hand_2 FOR VALUES IN (2);
CREATE TRIGGER "my Truncate" AFTER TRUNCATE ON hand EXECUTE FUNCTION audit_chain_append('hand');
CREATE UNLOGGED TABLE hand_3 PARTITION OF hand FOR VALUES IN (3);
SELECT * FROM triggers('hand');
SELECT * FROM look();
SELECT ok, rows, findings FROM verify_table('hand');
ALTER TABLE hand DETACH PARTITION hand_3;
SELECT * FROM triggers('hand_3');
DROP TABLE hand, hand_3;
SELECT count(*) >= 0 AS looked FROM look();

--
-- An ordinary owner makes partitions without any right to the audit, under a search_path of their own.
--
CREATE ROLE regress_auditspine_owner;
CREATE SCHEMA regress_auditspine_owner AUTHORIZATION regress_auditspine_owner;
SET SESSION AUTHORIZATION regress_auditspine_owner;
CREATE TABLE item (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id);
RESET SESSION AUTHORIZATION;
-- Only PostgreSQL itself asks for one, as it clones the triggers.
SELECT audit_attach('regress_auditspine_owner.item', append_only => true);
SET SESSION AUTHORIZATION regress_auditspine_owner;
CREATE TABLE item_1 PARTITION OF item FOR VALUES FROM (0) TO (100);
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION audit_chain_append(), audit_refuse_change() TO regress_auditspine_owner;
SET SESSION AUTHORIZATION regress_auditspine_owner;
CREATE TABLE item_1 PARTITION OF item FOR VALUES FROM (0) TO (100);
CREATE TABLE item_2 (id integer PRIMARY KEY, v text);
INSERT INTO item_2 VALUES (100, 'x');
ALTER TABLE item ATTACH PARTITION item_2 FOR VALUES FROM (100) TO (200);
INSERT INTO item VALUES (1, 'y');
ALTER TABLE item ADD COLUMN w integer;
ALTER TABLE item DETACH PARTITION item_1;
DROP TABLE item_2;
RESET SESSION AUTHORIZATION;
SELECT * FROM triggers('regress_auditspine_owner.item');
SELECT * FROM triggers('regress_auditspine_owner.item_1');
SELECT op, kind, pk FROM look();
SELECT op, event_kind, event_pk, db_user FROM auditspine.audit_chain WHERE event_kind LIKE 'auditspine.partition%' AND event_pk = 'item' ORDER BY seq;
DROP OWNED BY regress_auditspine_owner;
DROP ROLE regress_auditspine_owner;

--
-- DDL that concerns no audited table is left alone, whatever the audit's state is in.
--
ALTER TABLE auditspine.layout RENAME COLUMN kind TO species;
ALTER TABLE auditspine.audit_chain RENAME COLUMN pos TO place;
CREATE TABLE plain (id integer PRIMARY KEY, v text) PARTITION BY LIST (id);
CREATE TABLE plain_1 PARTITION OF plain FOR VALUES IN (1);
ALTER TABLE plain ADD COLUMN w integer;
ALTER TABLE plain RENAME COLUMN w TO x;
ALTER TABLE plain DETACH PARTITION plain_1;
ALTER TABLE plain ATTACH PARTITION plain_1 FOR VALUES IN (1);
CREATE SCHEMA other CREATE TABLE thing (id integer) CREATE VIEW things AS SELECT * FROM thing;
CREATE TABLE made AS SELECT 1 AS one;
DROP TABLE plain, made;
ALTER TABLE auditspine.audit_chain RENAME COLUMN place TO pos;
ALTER TABLE auditspine.layout RENAME COLUMN species TO kind;
SELECT chain, ok, findings FROM verify_chain();
