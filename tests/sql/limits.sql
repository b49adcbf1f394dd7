-- What PostgreSQL takes is recorded: long keys and tenants, in a short form that tells them apart; and what cannot be recorded is
-- refused when the row is written, by a message that says which setting, table or column it is about.
\pset null '·'
CREATE VIEW chains AS SELECT chain_id, left(name, 12) AS name, octet_length(name) AS bytes, octet_length(tenant) AS tenant_bytes FROM auditspine.chain ORDER BY chain_id;
CREATE TABLE visit (id integer PRIMARY KEY, tenant text, place text NOT NULL DEFAULT '');
SELECT audit_attach('visit', chain_by => '{tenant}');
INSERT INTO visit VALUES (1, ''), (2, repeat('x', 1000)), (3, repeat('x', 1001)), (4, repeat('é', 5000)), (5, repeat('x', 1001) || 'y'), (6, NULL);
-- One whose name is another one's short form.
INSERT INTO visit SELECT 7, tenant FROM auditspine.chain WHERE chain_id = 4;
TABLE chains;
SELECT count(*) AS documented FROM auditspine.chain
WHERE tenant = repeat('x', 1000) || '…sha256:' || encode(sha256(repeat('x', 1001)::bytea), 'hex');
SELECT ok, rows, findings FROM verify_table('visit');
SELECT v.ok, v.rows FROM auditspine.chain AS c CROSS JOIN LATERAL verify_table('visit', chain => c.name) AS v ORDER BY c.chain_id;
-- Several columns.
SELECT audit_attach('visit', chain_by => '{tenant,place}');
INSERT INTO visit VALUES (8, repeat('"', 900), 'x');
SELECT ok, rows, findings FROM verify_table('visit');
TABLE chains;
SELECT layer, bool_and(ok) FROM verify_all() GROUP BY layer ORDER BY layer;

-- Keys: longer than an index would take by themselves; no index at all; several columns; escapes.
CREATE TABLE page (a text PRIMARY KEY, b integer);
SELECT audit_attach('page');
INSERT INTO page VALUES (repeat('k', 100000), 1), (repeat('k', 100000) || 'x', 2), (repeat('k', 1000), 3), (repeat('k', 1001), 4);
SELECT op, octet_length(event_pk) FROM auditspine.audit_chain WHERE event_kind = 'page' ORDER BY seq;
UPDATE page SET b = b + 1;
SELECT ok, rows FROM verify_table('page');
SELECT layer, bool_and(ok) FROM verify_all('last') GROUP BY layer ORDER BY layer;
UPDATE page SET b = b + 1 WHERE a = repeat('k', 1001);
SELECT layer, bool_and(ok) FROM verify_all('last') GROUP BY layer ORDER BY layer;
SELECT op FROM audit_history('page', repeat('k', 1001));
CREATE TABLE blob (a bytea, b text, c integer, PRIMARY KEY (a, b));
SELECT audit_attach('blob', payload => 'full');
INSERT INTO blob SELECT string_agg(sha256(g::text::bytea), ''), '"' || repeat(E'\x01', 600), 1 FROM generate_series(1, 60) AS g;
SELECT ok, rows FROM verify_table('blob');
CREATE TABLE loose (a text NOT NULL, b integer);
SELECT audit_attach('loose', pk => '{a}');
INSERT INTO loose SELECT string_agg(md5(g::text), ''), 1 FROM generate_series(1, 10000) AS g;
SET client_min_messages = warning;
CALL audit_backfill('loose');
RESET client_min_messages;
SELECT ok, rows FROM verify_table('loose');
-- Tampering with them is found.
BEGIN;
ALTER TABLE page DISABLE TRIGGER auditspine_audit;
UPDATE page SET b = 99 WHERE length(a) = 100001;
DELETE FROM page WHERE length(a) = 100000;
INSERT INTO page VALUES (repeat('k', 1002), 0);
ALTER TABLE page ENABLE ALWAYS TRIGGER auditspine_audit;
COMMIT;
SELECT finding, octet_length(key) FROM verify_table_findings('page') ORDER BY finding;
-- A kind must fit beside a key.
CREATE TABLE kind (id integer PRIMARY KEY);
DO $$ BEGIN EXECUTE format('CREATE TRIGGER t AFTER INSERT ON kind FOR EACH ROW EXECUTE FUNCTION audit_chain_append(%L)', repeat('k', 1501)); END $$;
INSERT INTO kind VALUES (1);

-- Settings.
CREATE TABLE t (id integer PRIMARY KEY);
SELECT audit_attach('t');
SET auditspine.context = '{"a": "\u0000"}';
INSERT INTO t VALUES (1);
SET auditspine.context = '{"\u0000": 1}';
INSERT INTO t VALUES (1);
SET auditspine.context = '{"a": "\ud800"}';
INSERT INTO t VALUES (1);
SET auditspine.context = '{"a": 1, "a": 2}';
INSERT INTO t VALUES (1);
SET auditspine.context = '1e200000';
INSERT INTO t VALUES (1);
\set VERBOSITY terse
SELECT set_config('auditspine.context', repeat('[', 200000) || repeat(']', 200000), false) IS NULL AS set;
INSERT INTO t VALUES (1);
\set VERBOSITY default
-- Whatever looks like it is taken.
SET auditspine.context = '{"a": "\\u0000", "b": 1e1000}';
INSERT INTO t VALUES (1);
SELECT set_config('auditspine.context', repeat('[', 1000) || repeat(']', 1000), false) IS NULL AS set;
INSERT INTO t VALUES (2);
RESET auditspine.context;
SELECT chain, ok FROM verify_chain() WHERE NOT ok;
