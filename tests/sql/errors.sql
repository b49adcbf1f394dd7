-- What a user can do wrong, and the SQLSTATE that says so. Each failure ends the statement, or the
-- transaction whose commit it is, and leaves neither row nor entry.
\set VERBOSITY sqlstate
CREATE TABLE item (id integer PRIMARY KEY, tenant text, v integer);
CREATE TABLE bare (id integer, note text);

-- Declarations: refused at the first event, which is when a trigger's arguments are looked at.
CREATE FUNCTION declared(arguments text, on_table text DEFAULT 'item') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION audit_chain_append(%s)',
                   on_table, arguments);
    EXECUTE format('INSERT INTO %I (id) VALUES (1)', on_table);
    RAISE 'undo' USING ERRCODE = 'UNDO0';
EXCEPTION
    WHEN SQLSTATE 'UNDO0' THEN RETURN 'accepted';
    WHEN OTHERS THEN RETURN sqlstate || ': ' || sqlerrm;
END $$;
SELECT a AS arguments, declared(a)
FROM unnest(ARRAY[
    $$$$, $$'kind'$$, $$'kind', 'pk=id'$$, $$'pk=id'$$, $$'kind', 'payload=full', 'exclude=v', 'chain=main'$$, $$'kind', 'pk=id, tenant'$$,
    $$''$$, $$'kind', 'other'$$, $$'kind', ''$$, $$'kind', 'pk='$$, $$'kind', 'pk=id,'$$, $$'kind', 'pk=id,id'$$, $$'kind', 'pk=nope'$$,
    $$'kind', 'pk=ID'$$, $$'kind', 'key=id'$$, $$'kind', 'PK=id'$$, $$'kind', 'payload=none'$$, $$'kind', 'payload='$$,
    $$'kind', 'chain='$$, $$'kind', 'chain=nowhere'$$, $$'kind', 'chain_by='$$, $$'kind', 'chain_by=nope'$$,
    $$'kind', 'chain=main', 'chain_by=tenant'$$, $$'kind', 'pk=id', 'pk=id'$$, $$'kind', 'exclude=nope'$$, $$'kind', 'exclude=v,v'$$,
    $$'kind', 'pk="id'$$, $$'kind', 'pk=ctid'$$, $$'kind', 'exclude='$$, $$'kind', ' pk=id'$$, $$'auditspine.layout'$$
]) a;
SELECT declared('', 'bare') AS no_primary_key, declared($$'bare', 'pk=id'$$, 'bare') AS pk_named,
       declared($$'bare', 'pk=note'$$, 'bare') AS null_key;

-- Triggers of the wrong kind.
CREATE FUNCTION attached(clause text, command text DEFAULT 'INSERT INTO item VALUES (1)') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER t %s EXECUTE FUNCTION audit_chain_append()', clause);
    EXECUTE command;
    RAISE 'undo' USING ERRCODE = 'UNDO0';
EXCEPTION
    WHEN SQLSTATE 'UNDO0' THEN RETURN 'accepted';
    WHEN OTHERS THEN RETURN sqlstate || ': ' || sqlerrm;
END $$;
CREATE VIEW item_view AS SELECT * FROM item;
SELECT attached('AFTER INSERT ON item FOR EACH ROW') AS after_row,
       attached('AFTER TRUNCATE ON item', 'TRUNCATE item') AS after_truncate;
SELECT attached('BEFORE INSERT ON item FOR EACH ROW') AS before_row;
SELECT attached('AFTER INSERT ON item FOR EACH STATEMENT') AS statement;
SELECT attached('INSTEAD OF INSERT ON item_view FOR EACH ROW', 'INSERT INTO item_view VALUES (1)') AS instead;
SELECT audit_chain_append();

-- Columns that a trigger names, gone or null later.
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'pk=id,tenant', 'exclude=v');
INSERT INTO item VALUES (1, 'acme', 1);
INSERT INTO item VALUES (2, NULL, 1);
UPDATE item SET tenant = NULL;
ALTER EVENT TRIGGER auditspine_ddl DISABLE;
ALTER TABLE item RENAME COLUMN v TO w;
INSERT INTO item VALUES (3, 'acme', 1);
ALTER TABLE item RENAME COLUMN w TO v;
ALTER EVENT TRIGGER auditspine_ddl ENABLE ALWAYS;
INSERT INTO item VALUES (3, 'acme', 1);
DROP TRIGGER audit ON item;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'chain_by=tenant');
INSERT INTO item VALUES (4, repeat('x', 1000), 1);
INSERT INTO item VALUES (5, repeat('x', 1001), 1);
INSERT INTO item VALUES (6, '', 1);
DROP TRIGGER audit ON item;
SELECT array_agg(id ORDER BY id) AS rows, (SELECT array_agg(event_pk ORDER BY seq) FROM auditspine.audit_chain WHERE op <> 'S') AS entries FROM item;

-- A chain that is made later, and not made after all.
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'chain=later');
INSERT INTO item VALUES (7);
BEGIN;
SELECT create_chain('later', 1) > 1 AS made;
INSERT INTO item VALUES (7);
ROLLBACK;
INSERT INTO item VALUES (7);
SELECT count(*) AS made_in_passing FROM auditspine.chain WHERE name = 'later';
SELECT create_chain('later', 1) > 1 AS made;
INSERT INTO item VALUES (7);
DROP TRIGGER audit ON item;

-- Chains.
SELECT create_chain('main');
SELECT create_chain('');
SELECT create_chain(repeat('x', 1001));
SELECT create_chain('zero', 0);
SELECT create_chain('many', 257);
SELECT create_chain('many', -1);
SELECT create_chain(NULL) IS NULL AS strict;
SELECT create_chain('most', 256) > 1 AS made;
SELECT create_chain('most', 256);

-- By hand.
SELECT audit_chain_append('kind', '1', '{}', 'nowhere');
SELECT audit_chain_append(NULL, '1', '{}');
SELECT audit_chain_append('', '1', '{}');
SELECT audit_chain_append('auditspine.attach', '1', '{}');
SELECT audit_chain_append('kind', '1', '{}', NULL);

-- Settings.
SET auditspine.context = '{not json';
INSERT INTO item VALUES (8);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item');
INSERT INTO item VALUES (9);
SET auditspine.context = '{"a": 1, "a": 2}';
INSERT INTO item VALUES (9);
RESET auditspine.context;
SET auditspine.lane_timeout = -1;
SET auditspine.buffer_size = '1kB';
SET auditspine.buffer_size = '2GB';
SELECT count(*) AS ninth FROM item WHERE id = 9;

-- Verifying.
SELECT * FROM verify_chain('nowhere');
SELECT * FROM chain_findings('nowhere');
SELECT * FROM verify_chain('main', 10, 1);
SELECT chain, ok FROM verify_chain('main', NULL, NULL);

-- Canonical JSON.
SELECT canonical_json('{');
SELECT canonical_json('{"a":1,"a":2}');
SELECT canonical_json('"\ud800"');
SELECT canonical_json('1e999999');
SELECT canonical_json_hash('');

-- A flush that fails ends the transaction, whatever the reason, and says which.
CREATE FUNCTION broken_by(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    INSERT INTO item VALUES (50);
    PERFORM audit_flush();
    RAISE 'undo' USING ERRCODE = 'UNDO0';
EXCEPTION
    WHEN SQLSTATE 'UNDO0' THEN RETURN 'accepted';
    WHEN OTHERS THEN RETURN sqlstate || ': ' || sqlerrm;
END $$;
SET client_min_messages = warning;
SELECT command, broken_by(command)
FROM unnest(ARRAY[
    'SELECT 1',
    'ALTER TABLE auditspine.audit_chain RENAME COLUMN pos TO place',
    'ALTER TABLE auditspine.audit_chain ADD COLUMN extra integer',
    'ALTER TABLE auditspine.audit_chain DROP COLUMN actor',
    'ALTER TABLE auditspine.audit_chain ALTER COLUMN lane TYPE integer',
    'ALTER TABLE auditspine.audit_chain DROP CONSTRAINT audit_chain_pkey',
    'ALTER TABLE auditspine.audit_chain RENAME TO elsewhere',
    'ALTER SCHEMA auditspine RENAME TO elsewhere',
    'ALTER EXTENSION auditspine DROP SEQUENCE auditspine.audit_seq; DROP SEQUENCE auditspine.audit_seq',
    'ALTER TABLE auditspine.chain DROP CONSTRAINT chain_name_key',
    'ALTER TABLE auditspine.chain DROP COLUMN lanes',
    'CREATE INDEX ON auditspine.audit_chain (lower(event_kind))',
    'CREATE INDEX ON auditspine.audit_chain (event_pk) WHERE op = ''I''',
    'CREATE UNIQUE INDEX once ON auditspine.audit_chain (event_kind, event_pk); INSERT INTO item VALUES (51); DELETE FROM item WHERE id = 51',
    'CREATE INDEX ON auditspine.audit_chain USING hash (db_user)',
    'CREATE INDEX ON auditspine.audit_chain USING gin (payload)',
    'DROP INDEX auditspine.audit_chain_system_idx',
    'DROP INDEX auditspine.audit_chain_seq_idx',
    'ALTER TABLE auditspine.audit_chain ADD CHECK (event_pk <> ''50'')',
    'ALTER TABLE auditspine.audit_chain ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
    'CREATE TRIGGER mine BEFORE INSERT ON auditspine.audit_chain FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()'
]) command;
-- Numbers run out.
SELECT setval('auditspine.audit_seq', 9223372036854775807);
INSERT INTO item VALUES (55);
SELECT setval('auditspine.audit_seq', 9223372036854775800);
BEGIN;
INSERT INTO item SELECT g FROM generate_series(100, 200) g;
COMMIT;
SELECT setval('auditspine.audit_seq', 1000);

-- The same at commit, where the client is told by COMMIT itself.
ALTER TABLE auditspine.audit_chain RENAME COLUMN pos TO place;
BEGIN;
INSERT INTO item VALUES (60);
COMMIT;
INSERT INTO item VALUES (61);
ALTER TABLE auditspine.audit_chain RENAME COLUMN place TO pos;
ALTER TABLE auditspine.audit_chain RENAME TO elsewhere;
INSERT INTO item VALUES (61);
ALTER TABLE auditspine.elsewhere RENAME TO audit_chain;
ALTER TABLE auditspine.audit_chain DROP CONSTRAINT audit_chain_pkey;
BEGIN;
INSERT INTO item VALUES (62);
COMMIT;
ALTER TABLE auditspine.audit_chain ADD CONSTRAINT audit_chain_pkey PRIMARY KEY (chain_id, lane, pos);
INSERT INTO item VALUES (63);
SELECT array_agg(id ORDER BY id) AS rows FROM item WHERE id >= 50;
SELECT array_agg(event_pk ORDER BY seq) AS entries FROM auditspine.audit_chain WHERE event_pk >= '50' AND length(event_pk) = 2;
-- A lane whose next place is taken already: the flush fails rather than fork.
INSERT INTO auditspine.audit_chain
SELECT seq + 1000, chain_id, 0, pos + 1, version, op, event_kind, event_pk, xid, appended_at, db_user, actor, context, layout, payload,
       payload_hash, event_hash, prev_hash, '\x00' FROM auditspine.audit_chain WHERE chain_id = 1 ORDER BY pos DESC LIMIT 1;
INSERT INTO item VALUES (70);
BEGIN;
INSERT INTO item VALUES (71);
COMMIT;
SELECT count(*) AS rows FROM item WHERE id >= 70;
