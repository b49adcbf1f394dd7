-- Values as they are hashed: what PostgreSQL tells apart has different hashes, and nothing but the value decides.
-- (Values of every type, at random: tests/load, types.)
CREATE FUNCTION behind_the_back(target regclass, statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER auditspine_audit', target);
    EXECUTE statement;
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER auditspine_audit', target);
END $$;
CREATE VIEW written AS SELECT seq, event_kind AS kind, event_pk AS pk, payload - 'id' AS payload, canonical_json_hash(payload) = payload_hash AS hashed
FROM auditspine.audit_chain WHERE op IN ('I', 'U') ORDER BY seq;

CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN numbers AS integer[];
CREATE DOMAIN price AS numeric(6, 2);
CREATE TYPE pair AS (m mood, n numeric, p numeric(4, 1));
CREATE TYPE moods AS RANGE (subtype = mood);
CREATE TABLE thing (id integer PRIMARY KEY, n numeric, p price, f float8, j json, b jsonb, a integer[], d numbers[], bs jsonb[], r regclass, rs regrole[],
                    m mood, ms mood[], c pair, cs pair[], g moods, gs moods_multirange, q tsquery, x xml, l aclitem);
SELECT audit_attach('thing', payload => 'full');
INSERT INTO thing (id, n, p, f, j, b) VALUES
    (1, 7.5, 7.5, 0, '{"a": 1}', '1'), (2, 7.50, 7, '-0', '{"a":1}', '1.0'), (3, 'NaN', 0, 'NaN', '{"a":1,"a":1}', '"1"'), (4, 100, 0.10, 1e23, '"\u0000"', '"x"'),
    (5, 0.00, NULL, 0.1, '1e200000', 'null'), (6, 1e30, NULL, NULL, NULL, '"null"'), (7, 0, NULL, NULL, NULL, '[1, {"a": 1.50}]'), (8, 1e-7, NULL, NULL, NULL, '[1, {"a": 1.5}]');
INSERT INTO thing (id, a, d, bs) VALUES (11, '{1,2}', '{"{1,2}"}', '{"[1]"}'), (12, '[0:1]={1,2}', '{{"{1}","{2}"}}', '{{1}}'), (13, '{{1},{2}}', '{"{{1},{2}}"}', '{null}'), (14, '{}', '{NULL}', '{NULL}');
INSERT INTO thing (id, r, rs, m, ms, c, cs, g, gs) VALUES
    (21, 'pg_class', '{10}', 'sad', '{sad,ok}', ('ok', 1.0, 1), '{"(sad,1,1)","(,,)"}', '[sad,ok]', '{[sad,sad]}'), (22, NULL, NULL, NULL, NULL, (NULL, NULL, NULL), '{}', 'empty', '{}');
INSERT INTO thing (id, q, x) VALUES (31, '(a & b) & c', '<?xml version="1.0" encoding="UTF-8"?><a/>'), (32, 'a & (b & c)', '<a/>');
SELECT pk, jsonb_strip_nulls(payload) AS payload, hashed FROM written;
INSERT INTO thing (id, l) VALUES (41, makeaclitem(10, 10, 'SELECT', true)), (42, ('=rw/' || current_user)::aclitem), (43, ('=r*/' || current_user)::aclitem);
SELECT payload ->> 'l' AS l FROM written WHERE pk IN ('41', '42', '43');
SELECT ok, rows, unverifiable FROM verify_table('thing');
-- Under other settings.
BEGIN;
SET LOCAL DateStyle = 'SQL, DMY'; SET LOCAL IntervalStyle = sql_standard; SET LOCAL extra_float_digits = -10; SET LOCAL search_path = pg_catalog, public;
SET LOCAL quote_all_identifiers = on; SET LOCAL client_encoding = LATIN1;
SELECT ok, rows, unverifiable FROM public.verify_table('public.thing');
COMMIT;
-- A change of any of them is found.
SELECT behind_the_back('thing', $$UPDATE thing SET n = 7.50 WHERE id = 1$$), behind_the_back('thing', $$UPDATE thing SET f = 0 WHERE id = 2$$),
       behind_the_back('thing', $$UPDATE thing SET j = '{"a":1,"a": 1}' WHERE id = 3$$), behind_the_back('thing', $$UPDATE thing SET b = NULL WHERE id = 5$$),
       behind_the_back('thing', $$UPDATE thing SET b = '[1, {"a": 1.5}]' WHERE id = 7$$), behind_the_back('thing', $$UPDATE thing SET a = '[0:1]={1,2}' WHERE id = 11$$),
       behind_the_back('thing', $$UPDATE thing SET d = '{{"{1}"},{"{2}"}}' WHERE id = 13$$), behind_the_back('thing', $$UPDATE thing SET c = ROW('ok', 1, 1) WHERE id = 21$$),
       behind_the_back('thing', $$UPDATE thing SET c = NULL WHERE id = 22$$), behind_the_back('thing', $$UPDATE thing SET q = '(a & b) & c' WHERE id = 32$$) \g /dev/null
SELECT finding, key FROM verify_table_findings('thing') ORDER BY key;
DELETE FROM thing;

-- Renames and casts change no row.
CREATE TABLE target (x integer);
CREATE ROLE regress_auditspine_named;
INSERT INTO thing (id, r, rs, m, ms, c, cs, g, gs) VALUES
    (1, 'target', '{regress_auditspine_named}', 'sad', '{sad,ok}', ('ok', 1.0, 1), '{"(sad,1,1)","(,,)"}', '[sad,ok]', '{[sad,sad]}');
ALTER TABLE target RENAME TO goal;
ALTER ROLE regress_auditspine_named RENAME TO regress_auditspine_renamed;
ALTER TYPE mood RENAME VALUE 'sad' TO 'glum';
ALTER TYPE mood RENAME VALUE 'ok' TO 'sad';
ALTER TYPE mood ADD VALUE 'first' BEFORE 'glum';
ALTER TYPE pair RENAME ATTRIBUTE m TO mood;
ALTER TYPE pair ADD ATTRIBUTE later text;
ALTER TYPE pair RENAME TO couple;
ALTER TYPE mood RENAME TO temper;
CREATE FUNCTION temper_json(temper) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT '1'::json $$;
CREATE CAST (temper AS json) WITH FUNCTION temper_json(temper);
SELECT ok, rows, edited, unverifiable FROM verify_table('thing');
DROP TABLE goal;
DROP ROLE regress_auditspine_renamed;
SELECT ok, rows, edited, unverifiable FROM verify_table('thing');
-- The label that is called now as the row's was then is another one.
SELECT behind_the_back('thing', $$UPDATE thing SET m = 'sad'$$) \g /dev/null
SELECT finding, key FROM verify_table_findings('thing');
UPDATE thing SET m = 'glum';
-- What is written now is written under the labels of now, and says so.
SELECT jsonb_strip_nulls(payload - 'r' - 'rs') AS payload FROM written WHERE kind = 'thing' ORDER BY seq DESC LIMIT 1;
SELECT ok, rows, edited, unverifiable FROM verify_table('thing');
-- An attribute that is gone takes the proof with it.
ALTER TYPE couple DROP ATTRIBUTE n;
SELECT ok, rows, edited, unverifiable FROM verify_table('thing');
SELECT finding, detail FROM verify_table_findings('thing');

-- A base type whose output may change is sent; one that is text in all but name is text.
CREATE TYPE moment;
CREATE FUNCTION moment_in(cstring, oid, integer) RETURNS moment LANGUAGE internal STABLE STRICT AS 'timestamptz_in';
CREATE FUNCTION moment_out(moment) RETURNS cstring LANGUAGE internal STABLE STRICT AS 'timestamptz_out';
CREATE FUNCTION moment_send(moment) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'timestamptz_send';
CREATE TYPE moment (INPUT = moment_in, OUTPUT = moment_out, SEND = moment_send, LIKE = timestamptz);
CREATE TABLE event (id integer PRIMARY KEY, at moment, ats moment[]);
SELECT audit_attach('event', payload => 'full');
INSERT INTO event VALUES (1, '2026-01-01 00:00:00Z', '{"2026-01-01 00:00:00Z"}');
SELECT payload FROM written WHERE kind = 'event';
SELECT s.value FROM auditspine.audit_chain, jsonb_each(payload -> 'shapes') s WHERE op = 'S' AND payload ->> 'kind' = 'event';
ALTER FUNCTION moment_out(moment) IMMUTABLE;
SELECT ok, rows, edited, unverifiable FROM verify_table('event');
INSERT INTO event VALUES (2, '2026-01-01 00:00:00Z');
SELECT payload FROM written WHERE kind = 'event' AND pk = '2';
SELECT ok, rows, edited, unverifiable FROM verify_table('event');

-- Keys: what tells values apart tells names apart.
CREATE TABLE keyed (k integer[] PRIMARY KEY, n numeric NOT NULL);
SELECT audit_attach('keyed', pk => '{k,n}');
INSERT INTO keyed VALUES ('{1,2}', 1), ('[0:1]={1,2}', 1.0);
SELECT pk FROM written WHERE kind = 'keyed';
SELECT ok, rows FROM verify_table('keyed');
-- Rows that were there before have these names too.
CREATE TABLE older (n numeric, f float8, PRIMARY KEY (n, f));
INSERT INTO older VALUES (1.0, '-0'), (1.50, 0.5), (2, 1);
SELECT audit_attach('older');
SET client_min_messages = warning;
CALL audit_backfill('older', 1);
CALL audit_backfill('older', 1);
RESET client_min_messages;
SELECT pk FROM written WHERE kind = 'older';
SELECT ok, rows, entries FROM verify_table('older');
SELECT op, payload_hash IS NOT NULL AS hashed FROM audit_history('older', '1.0', '-0');

-- Chains are named by labels as they are: a label that is renamed is the name of another chain from then on. Rows are
-- in order all the same, and which belong to one chain alone is not told.
CREATE TYPE tenant AS ENUM ('acme', 'zeta');
CREATE TABLE owned (id integer PRIMARY KEY, t tenant);
SELECT audit_attach('owned', chain_by => '{t}');
INSERT INTO owned VALUES (1, 'acme'), (2, 'acme'), (3, 'zeta');
SELECT ok, rows, unverifiable FROM verify_table('owned', chain => 'acme');
ALTER TYPE tenant RENAME VALUE 'acme' TO 'acme inc';
UPDATE owned SET t = t WHERE id = 2;
SELECT ok, rows, unverifiable FROM verify_table('owned');
SELECT chain, ok, rows, unverifiable FROM unnest('{acme,acme inc,zeta}'::text[]) chain, verify_table('owned', chain => chain);
SELECT finding, key, detail FROM verify_table_findings('owned', chain => 'acme');
UPDATE owned SET id = id + 10;
SELECT ok, rows, unverifiable FROM verify_table('owned');
SELECT count(*) FROM audit_rebaseline('owned');
SELECT ok, rows, unverifiable FROM verify_table('owned', chain => 'acme inc');

-- Histories go on behind a change of the name.
CREATE TABLE labelled (k tenant PRIMARY KEY, v integer);
SELECT audit_attach('labelled');
INSERT INTO labelled VALUES ('acme inc', 1), ('zeta', 1);
ALTER TYPE tenant RENAME VALUE 'zeta' TO 'old';
ALTER TYPE tenant RENAME VALUE 'acme inc' TO 'zeta';
UPDATE labelled SET v = 2;
SELECT op, count(*) FROM audit_history('labelled', 'zeta') GROUP BY op ORDER BY op;
SELECT a.op, a.seq > b.seq AS since, h.event_pk FROM audit_history('labelled', 'zeta') a JOIN auditspine.audit_chain h USING (seq),
    (SELECT max(seq) AS seq FROM auditspine.audit_chain WHERE event_kind = 'labelled' AND op = 'I') b ORDER BY a.seq;
CREATE TABLE widened (id integer PRIMARY KEY, tenant integer NOT NULL DEFAULT 1, v integer);
SELECT audit_attach('widened');
INSERT INTO widened VALUES (1, 1, 1), (2, 1, 1);
ALTER TABLE widened DROP CONSTRAINT widened_pkey, ADD PRIMARY KEY (tenant, id);
UPDATE widened SET v = 2 WHERE id = 1;
INSERT INTO widened VALUES (1, 2, 7);
SELECT 'tenant 1' AS row, string_agg(op::text, ' ' ORDER BY seq) AS ops FROM audit_history('widened', '1', '1')
UNION ALL SELECT 'tenant 2', string_agg(op::text, ' ' ORDER BY seq) FROM audit_history('widened', '2', '1')
UNION ALL SELECT 'unchanged', string_agg(op::text, ' ' ORDER BY seq) FROM audit_history('widened', '1', '2');
