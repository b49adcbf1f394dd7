-- Recording the rows that a table had before it was audited.
SET TimeZone = 'UTC';
\set VERBOSITY terse
CREATE FUNCTION attach(target text, arguments text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit_chain_append(%s)',
                   target, arguments);
    EXECUTE format('CREATE TRIGGER audit_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append(%s)',
                   target, arguments);
END $$;
-- What the chain has of a kind, in order.
CREATE FUNCTION entries(kind text) RETURNS TABLE (op "char", pk text, chain text) LANGUAGE sql AS $$
    SELECT a.op, a.event_pk, c.name FROM auditspine.audit_chain a JOIN auditspine.chain c USING (chain_id)
    WHERE a.event_kind = kind ORDER BY a.seq
$$;
-- Rows whose latest entry is not what they are, and keys recorded as insertions more than once.
CREATE FUNCTION wrong(target regclass, key text, kind text DEFAULT NULL) RETURNS TABLE (what text, pk text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format($q$
        WITH entry AS (SELECT * FROM auditspine.audit_chain WHERE event_kind = %L AND op IN ('I', 'U', 'D')),
        latest AS (SELECT DISTINCT ON (event_pk) event_pk, op, payload_hash FROM entry ORDER BY event_pk, seq DESC),
        present AS (SELECT %s AS event_pk, canonical_row_hash(t) AS hash FROM %s t)
        SELECT 'row and entry', event_pk FROM present FULL JOIN latest USING (event_pk)
        WHERE hash IS DISTINCT FROM CASE WHEN op <> 'D' THEN payload_hash END
        UNION ALL
        SELECT 'recorded twice', event_pk FROM entry WHERE op = 'I' GROUP BY event_pk HAVING count(*) > 1
        ORDER BY 2 $q$, coalesce(kind, target::text), key, target);
END $$;

-- Every row once, as an insertion, in the order of the key, on behalf of whom the caller says.
CREATE TABLE product (id integer PRIMARY KEY, name text, price numeric(8, 2));
INSERT INTO product SELECT i, 'product ' || i, i * 1.5 FROM generate_series(10, 1, -1) i;
DELETE FROM product WHERE id = 4;
SELECT attach('product', $$'product', 'payload=full'$$);
INSERT INTO product VALUES (50, 'by trigger', 1);
SET auditspine.actor = 'migration';
SET auditspine.context = '{"ticket": 7}';
CALL audit_backfill('product', 3);
RESET auditspine.actor;
RESET auditspine.context;
SELECT * FROM entries('product');
SELECT * FROM wrong('product', 'id::text');
SELECT DISTINCT op, actor, context, db_user = session_user AS by_me, layout IS NOT NULL AS layout,
       payload_hash = canonical_json_hash(payload) AS payload
FROM auditspine.audit_chain WHERE event_kind = 'product';
SELECT op, event_pk, payload, chain_id, layout FROM auditspine.audit_chain WHERE event_kind = 'auditspine.backfill';
SELECT ok, findings FROM verify_chain();
-- Again: nothing new, not even an entry that says so.
CALL audit_backfill('product');
SELECT count(*) FROM entries('product');
SELECT count(*) FROM entries('auditspine.backfill');
-- Changes go on.
UPDATE product SET price = 2 WHERE id = 1;
DELETE FROM product WHERE id = 2;
UPDATE product SET id = 20 WHERE id = 3;
SELECT string_agg(op::text, '') AS ops FROM audit_history('product', '1');
CALL audit_backfill('product');
SELECT * FROM wrong('product', 'id::text');
-- The runs, as others see them.
SELECT progress_id, what, target, state, done, recorded, skipped, total_estimate > 0 AS estimated, rate > 0 AS rate, remaining,
       pid = pg_backend_pid() AS pid, last_key, db_user = session_user AS by_me,
       finished_at >= updated_at AND updated_at >= started_at AS times
FROM auditspine.progress ORDER BY progress_id;

-- An empty table; a table of one row; a batch of one row.
CREATE TABLE nothing (id integer PRIMARY KEY);
SELECT attach('nothing');
CALL audit_backfill('nothing', 1);
SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'nothing' OR event_kind = 'auditspine.layout' AND payload ->> 'kind' = 'nothing';
CREATE TABLE single (id integer PRIMARY KEY);
INSERT INTO single VALUES (1);
SELECT attach('single');
CALL audit_backfill('single', 1);
SELECT * FROM wrong('single', 'id::text');

-- Keys of all kinds, in batches that end anywhere: each row once, each in order.
CREATE DOMAIN code AS text CHECK (value <> '');
CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION german (provider = icu, locale = 'de');
CREATE FUNCTION backfilled(name text, type text, "values" text, arguments text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (k %s PRIMARY KEY, n integer)', name, type);
    EXECUTE format('INSERT INTO %I SELECT k::%s, row_number() OVER () FROM unnest(%L::text[]) k ORDER BY random()', name,
                   regexp_replace(type, ' COLLATE.*', ''), "values");
    PERFORM attach(quote_ident(name), arguments);
    RETURN name;
END $$;
SELECT backfilled('of_numeric', 'numeric', '{1,-3,2.5,1e30,0.001,10,9,NaN,-1e30,2.5001,7}'),
       backfilled('of_uuid', 'uuid', '{00000000-0000-0000-0000-000000000001,ffffffff-0000-0000-0000-000000000000,7fffffff-0000-0000-0000-000000000000,80000000-0000-0000-0000-000000000000}'),
       backfilled('of_time', 'timestamptz', '{2026-01-01 00:00:00.000001+00,2026-01-01 00:00:00+00,infinity,-infinity,1999-12-31 23:59:59+02,"0044-03-15 00:00:00+00 BC"}'),
       backfilled('of_domain', 'code', '{b,a,"a b","a\"b",A,é,z}'),
       backfilled('of_enum', 'mood', '{glad,sad,ok}'),
       backfilled('of_c', 'text COLLATE "C"', '{b,a,B,A,é,"",ab,aB}'),
       backfilled('of_german', 'text COLLATE german', '{b,a,B,A,é,"",ab,aB,ä,z}'),
       backfilled('of_nocase', 'text COLLATE nocase', '{b,a,é,"",ab,z,Y}'),
       backfilled('of_char', 'char(3)', '{b,a,abc,ab}'),
       backfilled('of_varchar', 'varchar(10)', '{b,a,abc,ab}'),
       backfilled('of_bytea', 'bytea', E'{\\\\x00,\\\\xff,\\\\x,\\\\x0001,\\\\x7f}'),
       backfilled('of_float', 'float8', '{1.5,-2,NaN,Infinity,-Infinity,1e-300,3}'),
       backfilled('of_bool', 'boolean', '{t,f}'),
       backfilled('of_array', 'integer[]', '{"{1,2}","{1}","{}","{2,NULL}","{1,2,3}"}'),
       backfilled('of_interval', 'interval', '{1 day,2 hours,-1 month,400 days}'),
       backfilled('of_inet', 'inet', '{10.0.0.1,10.0.0.0/8,"::1",9.9.9.9}'),
       backfilled('of_date', 'date', '{2026-01-01,1999-01-01,infinity}'),
       backfilled('of_name', 'name', '{b,a,B}'),
       backfilled('of "quoted" Name', 'bigint', '{3,1,2,-9223372036854775808}');
SET client_min_messages = warning;
SELECT format('CALL audit_backfill(%L, %s)', relid::regclass, size) FROM pg_stat_user_tables, unnest(ARRAY[2, 1]) size
WHERE relname LIKE 'of%' ORDER BY relname, size DESC \gexec
RESET client_min_messages;
CREATE TABLE verdict (name text, rows bigint, entries bigint, unordered bigint);
CREATE FUNCTION judge(target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE kind text := (SELECT relname FROM pg_class WHERE oid = target);
BEGIN
    EXECUTE format($q$
        INSERT INTO verdict SELECT %L, (SELECT count(*) FROM %s), count(*), count(*) FILTER (WHERE before > k)
        FROM (SELECT k, lag(k) OVER (ORDER BY a.seq) AS before
              FROM auditspine.audit_chain a JOIN %s t ON canonical_row_hash(t) = a.payload_hash
              WHERE a.event_kind = %L) s $q$, kind, target, target, kind);
END $$;
SELECT count(judge(relid)) FROM pg_stat_user_tables WHERE relname LIKE 'of%';
SELECT * FROM verdict WHERE name LIKE 'of%' ORDER BY name COLLATE "C";

-- Several columns, of types whose operators live in different schemas.
CREATE SCHEMA types;
CREATE EXTENSION citext SCHEMA types;
CREATE TABLE line (doc types.citext, no integer, at timestamptz, v text, PRIMARY KEY (doc, no, at));
INSERT INTO line SELECT 'doc ' || i % 5, i % 3, timestamptz '2026-01-01' + i * interval '1 hour', i FROM generate_series(1, 40) i;
SELECT attach('line');
SET search_path = pg_catalog;
CALL public.audit_backfill('public.line', 7);
RESET search_path;
SELECT count(*), count(DISTINCT pk), min(pk), max(pk) FROM entries('line');
SELECT count(*) FILTER (WHERE (a.doc, a.no, a.at) < (a.d, a.n, a.t)) AS unordered FROM (
    SELECT l.*, lag(doc) OVER w AS d, lag(no) OVER w AS n, lag(at) OVER w AS t
    FROM auditspine.audit_chain a JOIN line l ON canonical_row_hash(l) = a.payload_hash WHERE a.event_kind = 'line' WINDOW w AS (ORDER BY a.seq)) a;
CREATE TABLE pair (a text COLLATE german, b text COLLATE "C", c numeric, PRIMARY KEY (a, b, c));
INSERT INTO pair SELECT chr(97 + i % 3), chr(65 + i % 2), trim_scale(i / 10.0) FROM generate_series(1, 30) i;
SELECT attach('pair');
CALL audit_backfill('pair', 4);
SELECT count(*), count(DISTINCT pk) FROM entries('pair');
SELECT * FROM wrong('pair', $$format('[%s,%s,%s]', to_json(a), to_json(b), to_json(trim_scale(c)::text))$$);

-- Keys that no index is on, that are no key of the table, or that name several rows.
CREATE TABLE loose (a integer, b text, v integer);
INSERT INTO loose SELECT i % 7, 'b' || i % 5, i FROM generate_series(1, 35) i;
SELECT attach('loose', $$'loose', 'pk=b,a'$$);
CALL audit_backfill('loose', 4);
SELECT count(*), count(DISTINCT pk) FROM entries('loose');
SELECT * FROM wrong('loose', $$format('[%s,"%s"]', to_json(b), a)$$);
CREATE TABLE twins (a text COLLATE nocase, v integer);
INSERT INTO twins VALUES ('x', 1), ('X', 2), ('x', 3), ('X', 4), ('y', 5), ('Y', 6), ('z', 7);
SELECT attach('twins', $$'twins', 'pk=a'$$);
CALL audit_backfill('twins', 1);
SELECT pk, count(*) FROM entries('twins') GROUP BY pk ORDER BY pk COLLATE "C";

-- What the chain says is gone is not recorded as if it had come honestly.
CREATE TABLE parcel (id integer PRIMARY KEY, v text);
SELECT attach('parcel');
INSERT INTO parcel SELECT i, 'v' FROM generate_series(1, 8) i;
DELETE FROM parcel WHERE id <= 7;
SET session_replication_role = replica;
INSERT INTO parcel SELECT i, 'slipped in' FROM generate_series(1, 7) i;
INSERT INTO parcel VALUES (100, 'never recorded'), (101, 'never recorded');
RESET session_replication_role;
\set VERBOSITY default
SET client_min_messages = warning;
CALL audit_backfill('parcel');
RESET client_min_messages;
\set VERBOSITY terse
SELECT string_agg(op::text || pk, ' ') FROM entries('parcel') WHERE op = 'I';
SELECT recorded, skipped, state FROM auditspine.progress ORDER BY progress_id DESC LIMIT 1;
-- The same after a TRUNCATE; one who accepts the rows as they are says so by an UPDATE.
TRUNCATE parcel;
SET session_replication_role = replica;
INSERT INTO parcel VALUES (8, 'again'), (100, 'again'), (200, 'new');
RESET session_replication_role;
CALL audit_backfill('parcel');
UPDATE parcel SET v = v;
CALL audit_backfill('parcel');
-- Of a row that was truncated, the latest entry of its own is no end.
SELECT * FROM wrong('parcel', 'id::text');

-- Keys with nulls cannot be named.
CREATE TABLE partial (a integer, b text, v integer);
INSERT INTO partial VALUES (1, 'x', 1), (NULL, 'x', 2), (2, NULL, 3), (NULL, NULL, 4), (3, 'z', 5);
CREATE INDEX ON partial (a, b);
SELECT attach('partial', $$'partial', 'pk=a,b'$$);
\set VERBOSITY default
SET client_min_messages = warning;
CALL audit_backfill('partial', 2);
RESET client_min_messages;
\set VERBOSITY terse
SELECT * FROM entries('partial');

-- Partitions, in the order of the whole table's key; a TRUNCATE of one of them.
CREATE TABLE reading (at integer, sensor text, v integer, PRIMARY KEY (sensor, at)) PARTITION BY RANGE (at);
CREATE TABLE reading_low PARTITION OF reading FOR VALUES FROM (0) TO (100) PARTITION BY LIST (sensor);
CREATE TABLE reading_low_a PARTITION OF reading_low FOR VALUES IN ('a');
CREATE TABLE reading_low_b (v integer, gone text, sensor text NOT NULL, at integer NOT NULL);
ALTER TABLE reading_low_b DROP COLUMN gone;
ALTER TABLE reading_low ATTACH PARTITION reading_low_b FOR VALUES IN ('b');
CREATE TABLE reading_high PARTITION OF reading DEFAULT;
INSERT INTO reading SELECT i * 10, chr(97 + i % 2), i FROM generate_series(1, 20) i;
SELECT attach('reading');
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON reading_low_b FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append('reading');
CALL audit_backfill('reading', 3);
SELECT string_agg(pk, ' ') FROM entries('reading');
SELECT * FROM wrong('reading', $$format('["%s","%s"]', sensor, at)$$);
SELECT count(DISTINCT layout) AS layouts FROM auditspine.audit_chain WHERE event_kind = 'reading';
TRUNCATE reading_low_b;
SET session_replication_role = replica;
INSERT INTO reading VALUES (10, 'b', 1), (11, 'b', 1), (11, 'a', 1), (1000, 'b', 7);
RESET session_replication_role;
CALL audit_backfill('reading', 3);

-- Chains by column, made on the way; one lane; little memory and much to keep.
SELECT create_chain('strict', 1) > 0 AS made;
CREATE TABLE account (id integer PRIMARY KEY, tenant text, note text);
INSERT INTO account SELECT i, 't' || i % 6, repeat(md5(i::text), 200) FROM generate_series(1, 300) i;
SELECT attach('account', $$'account', 'chain_by=tenant', 'payload=full'$$);
SET auditspine.buffer_size = '64kB';
CALL audit_backfill('account', 100);
SELECT chain, count(*) FROM entries('account') GROUP BY chain ORDER BY chain;
SELECT * FROM wrong('account', 'id::text');
RESET auditspine.buffer_size;
CREATE TABLE ledger (id integer PRIMARY KEY, note text);
ALTER TABLE ledger ALTER COLUMN note SET STORAGE EXTERNAL;
INSERT INTO ledger SELECT i, repeat('x', 9000) FROM generate_series(1, 5) i;
SELECT attach('ledger', $$'ledger', 'chain=strict', 'exclude=id'$$);
CALL audit_backfill('ledger', 2);
SELECT * FROM entries('ledger');

-- Tables that inherit are tables of their own.
CREATE TABLE parent (id integer PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2);
SELECT attach('parent');
CALL audit_backfill('parent');
SELECT * FROM entries('parent');

-- Two triggers on one table: each has its kind.
CREATE TABLE doubled (id integer PRIMARY KEY, code text UNIQUE);
INSERT INTO doubled VALUES (1, 'x'), (2, 'y');
SELECT attach('doubled', $$'by_id'$$);
CREATE TRIGGER second AFTER INSERT OR UPDATE OR DELETE ON doubled
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('by_code', 'pk=code', 'payload=full');
CALL audit_backfill('doubled');
SELECT * FROM entries('by_id') UNION ALL SELECT * FROM entries('by_code');

-- Whatever the session's isolation level is.
CREATE TABLE strict (id integer PRIMARY KEY);
INSERT INTO strict SELECT generate_series(1, 5);
SELECT attach('strict');
SET default_transaction_isolation = 'repeatable read';
CALL audit_backfill('strict', 2);
SET default_transaction_isolation = 'serializable';
INSERT INTO strict VALUES (6);
CALL audit_backfill('strict', 2);
RESET default_transaction_isolation;
SELECT * FROM wrong('strict', 'id::text');

-- From a procedure, and a DO block, that may commit.
CREATE TABLE nested (id integer PRIMARY KEY);
INSERT INTO nested SELECT generate_series(1, 5);
SELECT attach('nested');
DO $$ BEGIN CALL audit_backfill('nested', 2); END $$;
CREATE PROCEDURE outer_procedure() LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
    FOR r IN SELECT relname FROM pg_class WHERE relname IN ('nested', 'strict') ORDER BY 1 LOOP
        CALL audit_backfill(r.relname::regclass, 2);
    END LOOP;
END $$;
CALL outer_procedure();

-- What is refused, before any work.
CREATE TABLE bare (id integer PRIMARY KEY);
CREATE TABLE shapes (k point, v integer);
INSERT INTO shapes VALUES ('(1,2)', 1);
SELECT attach('shapes', $$'shapes', 'pk=k'$$);
CREATE TABLE secret (id integer PRIMARY KEY, owner text);
INSERT INTO secret VALUES (1, 'a');
SELECT attach('secret');
SELECT max(progress_id) AS before FROM auditspine.progress \gset
\set VERBOSITY default
CALL audit_backfill('bare');
CALL audit_backfill('nowhere');
CALL audit_backfill(NULL);
CALL audit_backfill('product', 0);
CALL audit_backfill('product', NULL);
CALL audit_backfill('product', 1000001);
BEGIN;
CALL audit_backfill('product');
ROLLBACK;
DO $$ BEGIN CALL audit_backfill('product'); EXCEPTION WHEN division_by_zero THEN NULL; END $$;
CREATE FUNCTION in_function() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL audit_backfill('product'); END $$;
SELECT in_function();
SET default_transaction_read_only = on;
CALL audit_backfill('product');
RESET default_transaction_read_only;
ALTER TABLE secret DISABLE TRIGGER audit;
CALL audit_backfill('secret');
ALTER TABLE secret ENABLE REPLICA TRIGGER audit;
CALL audit_backfill('secret');
ALTER TABLE secret ENABLE ALWAYS TRIGGER audit;
SELECT count(*) AS runs FROM auditspine.progress WHERE progress_id > :before;
CALL audit_backfill('shapes');
SELECT target, state, recorded FROM auditspine.progress WHERE progress_id > :before ORDER BY progress_id;
-- No lock is left, and the session goes on.
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
\set VERBOSITY terse
CALL audit_backfill('secret');
-- With an ordinary index, recorded rows are found by that.
CREATE INDEX by_key ON auditspine.audit_chain (event_kind, event_pk);
CALL audit_backfill('secret');
DROP INDEX auditspine.by_key;

-- Who may: the table's owner with EXECUTE, and nobody whose sight of the rows is clouded.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_owner, regress_auditspine_other;
RESET client_min_messages;
CREATE ROLE regress_auditspine_owner;
CREATE ROLE regress_auditspine_other;
GRANT CREATE, USAGE ON SCHEMA public TO regress_auditspine_owner;
ALTER TABLE secret OWNER TO regress_auditspine_owner;
GRANT ALL ON secret TO regress_auditspine_other;
SET ROLE regress_auditspine_owner;
CALL audit_backfill('secret');
RESET ROLE;
GRANT EXECUTE ON PROCEDURE audit_backfill TO regress_auditspine_owner, regress_auditspine_other;
SET ROLE regress_auditspine_other;
CALL audit_backfill('secret');
RESET ROLE;
SET session_replication_role = replica;
ALTER TABLE secret ENABLE TRIGGER audit;
INSERT INTO secret VALUES (2, 'b');
RESET session_replication_role;
SET ROLE regress_auditspine_owner;
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CALL audit_backfill('secret');
ALTER TABLE secret FORCE ROW LEVEL SECURITY;
CALL audit_backfill('secret');
RESET ROLE;
CALL audit_backfill('secret');
ALTER ROLE regress_auditspine_owner BYPASSRLS;
CALL audit_backfill('secret');
SELECT * FROM wrong('secret', 'id::text');
-- Casts of the owner's to json are not called at all.
CREATE TABLE who (ran_as text);
GRANT INSERT ON who TO regress_auditspine_owner;
SET ROLE regress_auditspine_owner;
CREATE TYPE trap AS ENUM ('set');
CREATE FUNCTION trap_json(trap) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.who VALUES (current_user);
    RETURN '{"sprung": true}';
END $$;
CREATE CAST (trap AS json) WITH FUNCTION trap_json(trap);
CREATE TABLE baited (id integer PRIMARY KEY, t trap);
INSERT INTO baited VALUES (1, 'set');
RESET ROLE;
SELECT attach('baited');
CALL audit_backfill('baited');
SELECT count(*) FROM who;
DROP TABLE baited;
DROP OWNED BY regress_auditspine_owner, regress_auditspine_other CASCADE;
DROP ROLE regress_auditspine_owner, regress_auditspine_other;
SELECT ok, findings FROM verify_chain() WHERE NOT ok;
