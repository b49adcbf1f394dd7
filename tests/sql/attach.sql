-- audit_attach(), audit_detach(), the view of what is attached, and the append-only policy.

-- A command's failure in full.
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
CREATE VIEW triggers AS
    SELECT tgrelid::regclass AS "table", tgname AS trigger, tgenabled AS fires,
           regexp_replace(pg_get_triggerdef(oid), '^.* (BEFORE|AFTER)', '\1') AS definition
    FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text NOT LIKE 'auditspine.%'
    ORDER BY 1, 2;
CREATE VIEW system_entries AS
    SELECT event_kind, event_pk, payload FROM auditspine.audit_chain
    WHERE op = 'S' AND event_kind <> 'auditspine.layout' ORDER BY seq;

--
-- A table is attached: triggers that dumps carry, and an entry.
--
CREATE TABLE product (id integer PRIMARY KEY, tenant text, name text, secret text);
SELECT audit_attach('product');
SELECT * FROM triggers;
SELECT * FROM system_entries;
INSERT INTO product VALUES (1, 'acme', 'bolt', 'x'), (2, 'zeta', 'nut', 'y');
UPDATE product SET name = 'screw' WHERE id = 1;
DELETE FROM product WHERE id = 2;
SELECT op, event_kind, event_pk, layout IS NOT NULL AS layout FROM auditspine.audit_chain WHERE op <> 'S' ORDER BY seq;
SELECT kind, ok, rows, findings FROM verify_table('product');
-- Again: nothing happens.
SELECT audit_attach('product');
SELECT audit_attach('product', 'product', 'main', NULL, NULL, 'hash', '{}', false);
SELECT count(*) FROM system_entries;
-- Other options replace it, one entry each.
SELECT audit_attach('product', kind => 'goods', pk => '{id}', chain_by => '{tenant}', payload => 'full', exclude => '{secret}');
SELECT * FROM triggers;
INSERT INTO product VALUES (3, 'acme', 'washer', 'z');
SELECT name AS chain, event_kind, event_pk, payload FROM auditspine.audit_chain JOIN auditspine.chain USING (chain_id)
WHERE event_kind = 'goods' ORDER BY seq;
-- So does the same once more where a trigger was tampered with, or left out.
ALTER TABLE product DISABLE TRIGGER auditspine_audit;
SELECT audit_attach('product', kind => 'goods', pk => '{id}', chain_by => '{tenant}', payload => 'full', exclude => '{secret}');
DROP TRIGGER auditspine_truncate ON product;
SELECT audit_attach('product', kind => 'goods', pk => '{id}', chain_by => '{tenant}', payload => 'full', exclude => '{secret}');
ALTER TABLE product ENABLE TRIGGER auditspine_truncate;
SELECT audit_attach('product', kind => 'goods', pk => '{id}', chain_by => '{tenant}', payload => 'full', exclude => '{secret}');
SELECT trigger, fires FROM triggers;
SELECT * FROM system_entries OFFSET 1;
TRUNCATE product;
SELECT kind, ok, rows, findings FROM verify_table('product');

--
-- Triggers written by hand are replaced.
--
CREATE TABLE by_hand (id integer PRIMARY KEY);
CREATE TRIGGER mine AFTER INSERT OR UPDATE OR DELETE ON by_hand FOR EACH ROW EXECUTE FUNCTION audit_chain_append('by hand', 'payload=full');
CREATE TRIGGER mine_too AFTER TRUNCATE ON by_hand EXECUTE FUNCTION audit_chain_append('by hand');
CREATE TRIGGER other AFTER INSERT ON by_hand FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT audit_attach('by_hand', 'by hand', payload => 'full');
SELECT * FROM triggers WHERE "table" = 'by_hand'::regclass;

--
-- Names that need care.
--
CREATE SCHEMA "Odd; schema";
CREATE TABLE "Odd; schema"."a ""table"" = ', 1" ("key,1" integer, "k""2" text, " padded " text, plain int, "ünï=" text, "back\slash" int,
                                                 PRIMARY KEY ("key,1", "k""2"));
SELECT audit_attach('"Odd; schema"."a ""table"" = '', 1"', pk => ARRAY['key,1', 'k"2'],
                    exclude => ARRAY[' padded ', 'ünï=', 'back\slash'], payload => 'full');
SELECT audit_attach('"Odd; schema"."a ""table"" = '', 1"', pk => ARRAY['key,1', 'k"2'],
                    exclude => ARRAY[' padded ', 'ünï=', 'back\slash'], payload => 'full') AS again;
INSERT INTO "Odd; schema"."a ""table"" = ', 1" VALUES (1, 'a"b', 'p', 2, 'u', 3);
SELECT event_kind, event_pk, payload FROM auditspine.audit_chain WHERE op = 'I' ORDER BY seq DESC LIMIT 1;
SELECT table_name, kind, pk, exclude, problem FROM auditspine.audited_table WHERE kind LIKE 'a "table%';
SELECT definition FROM triggers WHERE "table" = '"Odd; schema"."a ""table"" = '', 1"'::regclass ORDER BY trigger;
SET standard_conforming_strings = off;
SET quote_all_identifiers = on;
SELECT audit_attach('by_hand', E'back\\slash ''quoted''');
RESET quote_all_identifiers;
RESET standard_conforming_strings;
SELECT kind FROM auditspine.audited_table WHERE table_name = 'by_hand'::regclass;
SELECT payload FROM system_entries OFFSET 7;

--
-- What is refused, before anything is done.
--
CREATE TABLE bare (id integer, note text NOT NULL);
CREATE VIEW a_view AS SELECT * FROM product;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM product;
CREATE SEQUENCE a_sequence;
CREATE TYPE a_type AS (id integer);
CREATE TEMPORARY TABLE a_temp (id integer PRIMARY KEY);
CREATE UNLOGGED TABLE an_unlogged (id integer PRIMARY KEY);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE a_foreign (id integer) SERVER nowhere;
CREATE TABLE whole (id integer PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF whole FOR VALUES IN (1);
CREATE TABLE inner_part PARTITION OF whole FOR VALUES IN (2) PARTITION BY LIST (id);
CREATE TABLE innermost PARTITION OF inner_part FOR VALUES IN (2);
SELECT create_chain('ledger');
\pset format unaligned
\pset tuples_only on
SELECT command || E'\n  ' || attempt(command) FROM unnest(ARRAY[
    $$SELECT audit_attach(NULL)$$,
    $$SELECT audit_attach(1)$$,
    $$SELECT audit_attach('nowhere')$$,
    $$SELECT audit_attach('a_view')$$,
    $$SELECT audit_attach('a_matview')$$,
    $$SELECT audit_attach('a_sequence')$$,
    $$SELECT audit_attach('a_type')$$,
    $$SELECT audit_attach('product_pkey')$$,
    $$SELECT audit_attach('a_foreign')$$,
    $$SELECT audit_attach('pg_temp.a_temp')$$,
    $$SELECT audit_attach('an_unlogged')$$,
    $$SELECT audit_attach('part')$$,
    $$SELECT audit_attach('inner_part')$$,
    $$SELECT audit_attach('innermost')$$,
    $$SELECT audit_attach('pg_class')$$,
    $$SELECT audit_attach('information_schema.sql_features')$$,
    $$SELECT audit_attach('auditspine.audit_chain')$$,
    $$SELECT audit_attach('auditspine.layout')$$,
    $$SELECT audit_attach('auditspine.audited_table')$$,
    $$SELECT audit_attach('product', '')$$,
    $$SELECT audit_attach('product', repeat('x', 1001))$$,
    $$SELECT audit_attach('product', 'auditspine.attach')$$,
    $$SELECT audit_attach('product', chain => NULL)$$,
    $$SELECT audit_attach('product', chain => 'nowhere')$$,
    $$SELECT audit_attach('product', chain => 'ledger', chain_by => '{tenant}')$$,
    $$SELECT audit_attach('product', chain_by => '{}')$$,
    $$SELECT audit_attach('product', chain_by => '{nope}')$$,
    $$SELECT audit_attach('product', chain_by => '{NULL}')$$,
    $$SELECT audit_attach('product', pk => '{}')$$,
    $$SELECT audit_attach('product', pk => '{nope}')$$,
    $$SELECT audit_attach('product', pk => '{ID}')$$,
    $$SELECT audit_attach('product', pk => '{ctid}')$$,
    $$SELECT audit_attach('product', pk => '{id,id}')$$,
    $$SELECT audit_attach('product', pk => '{id,NULL}')$$,
    $$SELECT audit_attach('product', pk => '{id,name}')$$,
    $$SELECT audit_attach('product', payload => 'none')$$,
    $$SELECT audit_attach('product', payload => NULL)$$,
    $$SELECT audit_attach('product', exclude => '{nope}')$$,
    $$SELECT audit_attach('product', exclude => '{secret,secret}')$$,
    $$SELECT audit_attach('bare')$$,
    $$SELECT audit_attach('bare', pk => '{id}')$$,
    $$SELECT audit_attach('whole', backfill => true, kind => 'goods')$$,
    $$SELECT audit_attach('whole', 'product')$$,
    $$SELECT audit_detach(NULL)$$,
    $$SELECT audit_detach(1)$$,
    $$SELECT audit_detach('part')$$,
    $$SELECT audit_detach_kind('goods')$$,
    $$SELECT auditspine.on_ddl()$$,
    $$SELECT audit_refuse_change()$$
]) AS command;
\pset format aligned
\pset tuples_only off
-- The kind that a table gave up may be another's. Nothing else was attached.
SELECT DISTINCT "table" FROM triggers;
-- A key that no unique index guards is accepted with a warning.
SELECT audit_attach('bare', pk => '{note}');
SELECT audit_detach('bare');
-- A trigger's name that is taken.
CREATE TRIGGER auditspine_truncate AFTER INSERT ON bare FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE UNIQUE INDEX ON bare (note);
SELECT attempt($$SELECT audit_attach('bare', pk => '{note}')$$);
SELECT trigger FROM triggers WHERE "table" = 'bare'::regclass;
DROP TABLE bare;

--
-- Append-only: rows come and never change.
--
SELECT audit_detach('whole');
CREATE TABLE ledger (id integer PRIMARY KEY, amount numeric);
CREATE TABLE line (ledger integer REFERENCES ledger ON DELETE CASCADE ON UPDATE CASCADE, no integer, PRIMARY KEY (ledger, no));
SELECT audit_attach('line', append_only => true), audit_attach('ledger', chain => 'ledger', append_only => true);
SELECT trigger, fires, definition FROM triggers WHERE "table" = 'ledger'::regclass;
INSERT INTO ledger VALUES (1, 10), (2, 20);
INSERT INTO line VALUES (1, 1);
UPDATE ledger SET amount = 11 WHERE id = 1;
DELETE FROM ledger;
TRUNCATE ledger, line;
SELECT attempt(command) FROM unnest(ARRAY[
    'UPDATE ledger SET amount = 11 WHERE id = 1',
    'DELETE FROM ledger WHERE id = 2',
    'DELETE FROM line',
    'TRUNCATE ledger CASCADE',
    'TRUNCATE line',
    'INSERT INTO ledger VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount',
    'INSERT INTO ledger VALUES (1, 1) ON CONFLICT DO NOTHING',
    'UPDATE ledger SET amount = 11 WHERE false'
]) AS command;
-- A cascade, once the referenced table itself allows it.
SELECT audit_attach('ledger', chain => 'ledger');
SELECT attempt('DELETE FROM ledger WHERE id = 1'), attempt('UPDATE ledger SET id = 7 WHERE id = 1'), attempt('DELETE FROM ledger WHERE id = 2');
-- Replicated changes are changes.
SET session_replication_role = replica;
SELECT attempt('DELETE FROM line');
RESET session_replication_role;
SELECT op, event_pk FROM auditspine.audit_chain WHERE event_kind IN ('ledger', 'line') ORDER BY seq;
SELECT bool_and(ok) AS ok FROM verify_table('ledger') UNION ALL SELECT bool_and(ok) FROM verify_table('line');

-- Not by way of a crash either.
SELECT attempt('ALTER TABLE line SET UNLOGGED'), attempt('ALTER TABLE product SET UNLOGGED');

--
-- Rows that were there are recorded, if asked.
--
CREATE TABLE stock (id integer, place text, n integer, PRIMARY KEY (place, id));
INSERT INTO stock SELECT g, 'shelf ' || g % 3, g FROM generate_series(1, 20) g;
SELECT audit_attach('stock', chain_by => '{place}', backfill => true);
SELECT name AS chain, count(*), min(event_pk), max(event_pk) FROM auditspine.audit_chain JOIN auditspine.chain USING (chain_id)
WHERE event_kind = 'stock' GROUP BY name ORDER BY name;
SELECT payload FROM auditspine.audit_chain WHERE event_kind = 'auditspine.backfill';
SELECT ok, rows, entries, findings FROM verify_table('stock');
-- What is recorded is not recorded again; what came in unrecorded is.
SET session_replication_role = replica;
ALTER TABLE stock DISABLE TRIGGER auditspine_audit;
INSERT INTO stock VALUES (21, 'shelf 0', 21);
RESET session_replication_role;
DELETE FROM stock WHERE id = 1;
SELECT ok, unrecorded, deleted FROM verify_table('stock');
SELECT audit_attach('stock', chain_by => '{place}', backfill => true);
SELECT audit_attach('stock', chain_by => '{place}', backfill => true);
SELECT ok, unrecorded, deleted FROM verify_table('stock');
-- In a transaction that is rolled back, all of it is.
BEGIN;
CREATE TABLE brief (id integer PRIMARY KEY);
INSERT INTO brief VALUES (1);
SAVEPOINT s;
SELECT audit_attach('brief', backfill => true);
ROLLBACK TO s;
INSERT INTO brief VALUES (2);
SELECT audit_attach('brief');
INSERT INTO brief VALUES (3);
COMMIT;
SELECT op, event_kind, event_pk FROM auditspine.audit_chain WHERE event_kind = 'brief' OR event_pk = 'brief' ORDER BY seq;

--
-- The view.
--
SELECT table_name, kind, pk, chain, chain_by, payload, exclude, append_only FROM auditspine.audited_table ORDER BY kind COLLATE "C";
SELECT kind, enabled, trigger_state, truncate_covered, partitions, entries, problem FROM auditspine.audited_table ORDER BY kind COLLATE "C";
-- The entries are counted only where they are asked for.
CREATE FUNCTION reads_chain(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
        IF line LIKE '%audit_chain%' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;
SELECT reads_chain('SELECT table_name, kind, pk, chain, chain_by, payload, exclude, append_only, enabled, trigger_state,
                           truncate_covered, partitions, problem FROM auditspine.audited_table') AS others,
       reads_chain('SELECT entries FROM auditspine.audited_table') AS entries;
-- What is wrong shows, and nothing fails.
CREATE TABLE broken (id integer PRIMARY KEY, v integer);
CREATE TRIGGER odd AFTER INSERT ON broken FOR EACH ROW EXECUTE FUNCTION audit_chain_append('kind', 'nonsense');
CREATE TRIGGER gone AFTER INSERT ON broken FOR EACH ROW EXECUTE FUNCTION audit_chain_append('gone', 'exclude=was');
CREATE TRIGGER nowhere AFTER INSERT ON broken FOR EACH ROW EXECUTE FUNCTION audit_chain_append('nowhere', 'chain=no such');
CREATE TABLE keyless (id integer);
CREATE TRIGGER keyless AFTER INSERT ON keyless FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
SELECT table_name, kind, pk, chain, problem FROM auditspine.audited_table WHERE problem IS NOT NULL ORDER BY problem;
ALTER TABLE broken DISABLE TRIGGER gone;
ALTER TABLE broken ENABLE REPLICA TRIGGER nowhere;
SELECT kind, enabled, trigger_state FROM auditspine.audited_table WHERE table_name = 'broken'::regclass ORDER BY kind COLLATE "C";
DROP TABLE broken, keyless;

--
-- Detached: no triggers, and an entry.
--
SELECT audit_detach('product');
SELECT audit_detach('product');
SELECT audit_detach('a_view');
INSERT INTO product VALUES (9);
SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'goods' AND event_pk = '9';
-- What lost its triggers, or its table, is closed in the record.
DROP TRIGGER auditspine_audit ON stock;
DROP TRIGGER auditspine_truncate ON stock;
ALTER TABLE stock RENAME TO shelves;
SELECT audit_detach('shelves');
SELECT audit_detach('shelves');
DROP TABLE brief;
SELECT audit_detach_kind('brief');
SELECT audit_detach_kind('brief');
SELECT audit_detach_kind('never');
DROP TRIGGER auditspine_audit ON by_hand;
DROP TRIGGER auditspine_truncate ON by_hand;
DROP TABLE by_hand;
SELECT audit_detach_kind('by hand'), audit_detach_kind(E'back\\slash ''quoted''');
SELECT event_kind, event_pk, payload FROM system_entries WHERE event_kind = 'auditspine.detach';
-- A kind that was detached may be another table's: what the first table left is not missing from the second.
SELECT audit_attach('product', 'brief');
SELECT event_kind, event_pk, payload - 'layouts' AS payload FROM system_entries ORDER BY 1 DESC LIMIT 1;
INSERT INTO product VALUES (10);
SELECT kind, ok, rows, unrecorded, deleted FROM verify_table('product');
SELECT audit_detach('product');
-- One that was not detached may not, until that is said. A table of the same name is held against the first.
CREATE TABLE first (id integer PRIMARY KEY);
SELECT audit_attach('first');
INSERT INTO first VALUES (1);
DROP TABLE first;
SELECT attempt($$SELECT audit_attach('product', 'first')$$);
CREATE TABLE first (id integer PRIMARY KEY);
SELECT audit_attach('first');
SELECT ok, deleted FROM verify_table('first');
DROP TABLE first;
SELECT audit_detach_kind('first');
CREATE TABLE first (id integer PRIMARY KEY);
SELECT audit_attach('first');
SELECT ok, deleted FROM verify_table('first');
-- The same table again: what happened to its rows meanwhile is found.
INSERT INTO first VALUES (1), (2);
SELECT audit_detach('first');
DELETE FROM first WHERE id = 1;
INSERT INTO first VALUES (3);
SELECT audit_attach('first');
SELECT ok, deleted, unrecorded FROM verify_table('first');
DROP TABLE first;
SELECT audit_detach_kind('first');

--
-- An ordinary owner, with the functions that attaching takes and without the right to read the chain.
--
CREATE ROLE regress_auditspine_owner;
CREATE ROLE regress_auditspine_other;
GRANT CREATE ON SCHEMA public TO regress_auditspine_owner;
GRANT EXECUTE ON FUNCTION attempt TO PUBLIC;
SET SESSION AUTHORIZATION regress_auditspine_owner;
CREATE TABLE mine (id integer PRIMARY KEY);
INSERT INTO mine VALUES (1);
SELECT attempt($$SELECT audit_attach('mine')$$), attempt($$SELECT audit_detach('mine')$$), attempt($$SELECT audit_detach_kind('mine')$$),
       attempt($$TABLE auditspine.audited_table$$);
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION audit_attach, audit_detach, audit_detach_kind, audit_chain_append(), audit_refuse_change TO regress_auditspine_owner;
SET SESSION AUTHORIZATION regress_auditspine_owner;
SELECT audit_attach('mine', append_only => true, backfill => true);
SELECT audit_attach('mine', append_only => true, backfill => true);
INSERT INTO mine VALUES (2);
SELECT attempt('DELETE FROM mine');
SELECT attempt($$SELECT audit_attach('product')$$), attempt($$SELECT audit_detach('ledger')$$);
SELECT audit_detach('mine');
SELECT audit_attach('mine');
DROP TRIGGER auditspine_audit ON mine;
DROP TRIGGER auditspine_truncate ON mine;
SELECT audit_detach('mine');
DROP TABLE mine;
RESET SESSION AUTHORIZATION;
SELECT op, event_kind, event_pk, db_user FROM auditspine.audit_chain
WHERE 'mine' IN (event_kind, event_pk) ORDER BY seq;
REVOKE EXECUTE ON FUNCTION audit_attach, audit_detach, audit_detach_kind, audit_chain_append(), audit_refuse_change FROM regress_auditspine_owner;
REVOKE CREATE ON SCHEMA public FROM regress_auditspine_owner;
DROP ROLE regress_auditspine_owner;
DROP ROLE regress_auditspine_other;

SELECT chain, ok, findings FROM verify_chain() WHERE NOT ok;
-- The extension goes with its triggers, and only where that is asked for.
\set VERBOSITY sqlstate
DROP EXTENSION auditspine;
DROP EXTENSION auditspine CASCADE;
SELECT * FROM triggers;
INSERT INTO ledger VALUES (100, 1);
UPDATE ledger SET amount = 2 WHERE id = 100;
