-- Partitions that are dropped, by whatever command: an entry says which, with the layouts of their rows, and who did it.
CREATE VIEW told AS
    SELECT event_kind, event_pk, payload ->> 'table' AS partition, jsonb_array_length(payload -> 'layouts') > 0 AS has_layouts, db_user
    FROM auditspine.audit_chain WHERE op = 'S' AND event_kind ~ 'partition_d' ORDER BY seq;
CREATE VIEW verdict AS
    SELECT ok, rows, edited, deleted, unrecorded, unverifiable FROM verify_table('public.event'::text::regclass);
CREATE SCHEMA archive;
CREATE TABLE event (at date NOT NULL, id integer NOT NULL, note text, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE TABLE event_later PARTITION OF event FOR VALUES FROM ('2023-01-01') TO ('2030-01-01');
CREATE TABLE event_2020 PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE archive.event_2021 PARTITION OF event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE event_2022 PARTITION OF event FOR VALUES FROM ('2022-01-01') TO ('2023-01-01') PARTITION BY LIST (id);
CREATE TABLE event_2022_1 PARTITION OF event_2022 FOR VALUES IN (1);
CREATE TABLE event_2022_rest PARTITION OF event_2022 DEFAULT PARTITION BY LIST (id);
CREATE TABLE event_2022_deep PARTITION OF event_2022_rest DEFAULT;
-- Rows for each year that has a partition.
CREATE FUNCTION fill() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR y IN 2020 .. 2029 LOOP
        BEGIN
            INSERT INTO public.event SELECT make_date(y, 6, 1), g FROM generate_series(1, 3) g ON CONFLICT DO NOTHING;
        EXCEPTION WHEN check_violation THEN NULL;
        END;
    END LOOP;
END $$;
SELECT audit_attach('event');
SELECT fill();
TABLE verdict;

-- One, rolled back first, whole and to a savepoint.
BEGIN;
DROP TABLE event_2020;
TABLE verdict;
ROLLBACK;
TABLE verdict;
BEGIN;
SAVEPOINT s;
DROP TABLE event_2020;
ROLLBACK TO s;
UPDATE event SET note = 'still there' WHERE at = '2020-06-01';
COMMIT;
TABLE told;
TABLE verdict;
DROP TABLE event_2020;
TABLE told;
TABLE verdict;
SELECT op, payload ->> 'table' AS partition FROM audit_history('event', '2020-06-01', '1');

-- With rows that came in the same transaction; with a schema; a subtree; with an access method.
BEGIN;
INSERT INTO event VALUES ('2021-07-01', 77);
DROP SCHEMA archive CASCADE;
COMMIT;
DROP TABLE event_2022;
CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE event_2020 PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') USING other_heap;
SELECT fill();
DROP ACCESS METHOD other_heap CASCADE;
SELECT event_kind, event_pk, partition, has_layouts FROM told OFFSET 1;
TABLE verdict;

-- By another role than the table's owner: the owner of the partition's schema, and with all that a role owns.
CREATE ROLE regress_auditspine_keeper;
CREATE SCHEMA kept AUTHORIZATION regress_auditspine_keeper;
CREATE TABLE kept.event_2020 PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE event_2021 PARTITION OF event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
ALTER TABLE event_2021 OWNER TO regress_auditspine_keeper;
SELECT fill();
SELECT count(*) AS before FROM told \gset
SET SESSION AUTHORIZATION regress_auditspine_keeper;
DROP SCHEMA kept CASCADE;
DROP OWNED BY regress_auditspine_keeper;
RESET SESSION AUTHORIZATION;
SELECT event_kind, partition, db_user FROM told OFFSET :before;
TABLE verdict;
DROP ROLE regress_auditspine_keeper;

-- A table that was detached before is none of the audit's; nor is one that never was, or a partition of such a one.
CREATE TABLE event_2020 PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
SELECT fill();
SELECT count(*) AS before FROM told \gset
ALTER TABLE event DETACH PARTITION event_2020;
DROP TABLE event_2020;
CREATE TABLE plain (id integer PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE plain_1 PARTITION OF plain FOR VALUES IN (1);
DROP TABLE plain_1;
CREATE TEMPORARY TABLE passing (id integer) ON COMMIT DROP;
SELECT event_kind, partition FROM told OFFSET :before;
TABLE verdict;

-- Where the event triggers are off, the rows count as deleted: what was noted then is not told later.
CREATE TABLE event_2020 PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE event_2021 PARTITION OF event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE event_2022 PARTITION OF event FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
SELECT fill();
SELECT count(*) AS before FROM told \gset
BEGIN;
ALTER EVENT TRIGGER auditspine_dropped DISABLE;
DROP TABLE event_2020;
ALTER EVENT TRIGGER auditspine_dropped ENABLE ALWAYS;
DROP TABLE event_2021;
COMMIT;
SELECT event_kind, partition FROM told OFFSET :before;
TABLE verdict;
-- (The other is for sessions that have not met the audit yet.)
\c
ALTER EVENT TRIGGER auditspine_drop DISABLE;
\c
DROP TABLE event_2022;
ALTER EVENT TRIGGER auditspine_drop ENABLE ALWAYS;
SELECT event_kind, partition FROM told OFFSET :before;
TABLE verdict;
-- Under session_replication_role = replica they fire all the same.
CREATE TABLE event_2022 PARTITION OF event FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
CREATE TABLE event_2020 PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE event_2021 PARTITION OF event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
SELECT fill();
TABLE verdict;
SET session_replication_role = replica;
DROP TABLE event_2020, event_2021, event_2022;
RESET session_replication_role;
SELECT event_kind, partition FROM told OFFSET :before;
TABLE verdict;

-- The whole table: that is for audit_detach_kind() to tell.
SELECT count(*) AS before FROM told \gset
DROP TABLE event;
SELECT event_kind, partition FROM told OFFSET :before;
SELECT layer, subject, ok FROM verify_all();
SELECT audit_detach_kind('event');
SELECT layer, subject, ok FROM verify_all();

-- Triggers written by hand: two kinds, one of which is the table's name, which changed; one on a part of the tree.
CREATE TABLE hand (id integer PRIMARY KEY, v integer) PARTITION BY RANGE (id);
CREATE TRIGGER mine AFTER INSERT OR UPDATE OR DELETE ON hand FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
CREATE TRIGGER other AFTER INSERT OR UPDATE OR DELETE ON hand FOR EACH ROW EXECUTE FUNCTION audit_chain_append('kind=by hand');
CREATE TABLE hand_1 PARTITION OF hand FOR VALUES FROM (0) TO (100);
CREATE TABLE hand_2 PARTITION OF hand FOR VALUES FROM (100) TO (200);
INSERT INTO hand SELECT g, g FROM generate_series(50, 149) g;
ALTER TABLE hand RENAME TO hand_renamed;
SELECT count(*) AS before FROM told \gset
DROP TABLE hand_1;
SELECT event_kind, event_pk, partition FROM told OFFSET :before;
SELECT kind, ok, rows, deleted FROM verify_table('hand_renamed') ORDER BY kind COLLATE "C";
CREATE TABLE part (id integer PRIMARY KEY, v integer) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
CREATE TABLE part_11 PARTITION OF part_1 FOR VALUES FROM (0) TO (50);
CREATE TABLE part_12 PARTITION OF part_1 FOR VALUES FROM (50) TO (100);
CREATE TRIGGER mine AFTER INSERT OR UPDATE OR DELETE ON part_1 FOR EACH ROW EXECUTE FUNCTION audit_chain_append('kind=part');
INSERT INTO part SELECT g, g FROM generate_series(1, 99) g;
SELECT count(*) AS before FROM told \gset
DROP TABLE part_11;
SELECT event_kind, event_pk, partition FROM told OFFSET :before;
SELECT kind, rows, deleted FROM verify_table('part_12');
SELECT chain, ok FROM verify_chain();
