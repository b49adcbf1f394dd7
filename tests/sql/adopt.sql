-- Adopting chains of the older shape: every way to write one down, every way to break one, and what happens to it later.
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ': ' || message || CASE WHEN hint = '' THEN '' ELSE ' (' || hint || ')' END;
END $$;

-- A trigger as they are written: PL/pgSQL, a lock held to the commit, the last row looked up.
CREATE TABLE old_chain (
    seq         bigint PRIMARY KEY,
    event_kind  text NOT NULL,
    event_pk    text,
    event_hash  bytea NOT NULL,
    prev_hash   bytea,
    chain_hash  bytea NOT NULL,
    appended_at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION old_append() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    entry old_chain;
    event bytea := sha256(convert_to(to_jsonb(new)::text, 'UTF8'));
BEGIN
    PERFORM pg_advisory_xact_lock(7203);
    SELECT * INTO entry FROM old_chain ORDER BY seq DESC LIMIT 1;
    entry.seq := coalesce(entry.seq, 0) + 1;
    INSERT INTO old_chain VALUES (entry.seq, tg_table_name, new.id, event, entry.chain_hash,
        sha256(coalesce(entry.chain_hash, '') || event || int8send(entry.seq)));
    RETURN NULL;
END $$;
CREATE TABLE product (id integer PRIMARY KEY, name text);
CREATE TRIGGER old AFTER INSERT OR UPDATE ON product FOR EACH ROW EXECUTE FUNCTION old_append();
INSERT INTO product SELECT g, 'product ' || g FROM generate_series(1, 2500) g;

SELECT outcome, table_name, variant, entries, first_seq, last_seq, breaks,
       head = (SELECT chain_hash FROM old_chain ORDER BY seq DESC LIMIT 1) AS head,
       digest = (SELECT sha256(string_agg(int8send(seq) || chain_hash, '' ORDER BY seq)) FROM old_chain) AS digest
FROM adopt_chain('old_chain');
SELECT op, event_kind, event_pk, payload - 'segments' - 'digest' - 'head' - 'breaks_digest' AS payload,
       payload ->> 'head' = encode((SELECT chain_hash FROM old_chain ORDER BY seq DESC LIMIT 1), 'hex') AS head,
       jsonb_array_length(payload -> 'segments') AS segments
FROM auditspine.audit_chain WHERE event_kind LIKE 'auditspine.%';
SELECT table_name, ok, anchor_seq > 0 AS anchor, anchored, entries, appended, breaks, new_breaks, changes FROM verify_adopted('old_chain');
SELECT count(*) FROM adopted_findings('old_chain');
SELECT ok FROM verify_chain();
-- Again: nothing happens.
SELECT outcome, entries FROM adopt_chain('old_chain');
SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'auditspine.adopt';

-- It is still written: rows that continue it are no change.
UPDATE product SET name = 'renamed' WHERE id <= 10;
SELECT ok, anchored, entries, appended, breaks, new_breaks, changes FROM verify_adopted('old_chain');
-- Anchoring what came since is asked for.
SELECT outcome, entries FROM adopt_chain('old_chain');
SELECT outcome, entries, breaks FROM adopt_chain('old_chain', again => true);
SELECT ok, anchored, entries, appended FROM verify_adopted('old_chain');
SELECT outcome FROM adopt_chain('old_chain', true);

-- Changes since, each undone again.
CREATE FUNCTION found() RETURNS TABLE (seq bigint, finding text, detail text, anchored boolean) LANGUAGE sql AS $$
    SELECT seq, finding, detail, anchored FROM adopted_findings('old_chain') $$;
CREATE VIEW verdict AS SELECT ok, anchored, entries, appended, breaks, new_breaks, changes FROM verify_adopted('old_chain');
BEGIN;
UPDATE old_chain SET event_hash = sha256('x') WHERE seq = 1234;
SELECT * FROM found();
SELECT * FROM verdict;
ROLLBACK;
-- No hash of the old chain covers these.
BEGIN;
UPDATE old_chain SET event_pk = '9' WHERE seq = 7;
SELECT * FROM found();
ROLLBACK;
BEGIN;
UPDATE old_chain SET appended_at = appended_at - interval '1 day' WHERE seq = 2001;
SELECT * FROM found();
ROLLBACK;
BEGIN;
DELETE FROM old_chain WHERE seq = 100;
SELECT * FROM found();
SELECT * FROM verdict;
ROLLBACK;
-- The tail: the links of an old chain do not show it, the anchor does.
BEGIN;
DELETE FROM old_chain WHERE seq > 2400;
SELECT * FROM found();
SELECT * FROM verdict;
ROLLBACK;
-- Rewritten from one row on, all hashes made to fit.
BEGIN;
UPDATE old_chain SET event_hash = sha256('forged') WHERE seq = 2000;
DO $$
DECLARE entry old_chain; before bytea;
BEGIN
    SELECT chain_hash INTO before FROM old_chain WHERE seq = 1999;
    FOR entry IN SELECT * FROM old_chain WHERE seq >= 2000 ORDER BY seq LOOP
        UPDATE old_chain SET prev_hash = before, chain_hash = sha256(before || event_hash || int8send(seq))
        WHERE seq = entry.seq RETURNING chain_hash INTO before;
    END LOOP;
END $$;
SELECT * FROM found();
SELECT * FROM verdict;
ROLLBACK;
-- Rows behind the anchored ones that do not continue them.
BEGIN;
INSERT INTO old_chain VALUES (9000, 'k', '1', sha256('a'), sha256('b'), sha256('c'));
SELECT * FROM found();
SELECT * FROM verdict;
ROLLBACK;
-- The anchor itself.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE auditspine.audit_chain SET payload = jsonb_set(payload, '{count}', '"7"') WHERE event_kind = 'auditspine.adopt';
SELECT finding FROM found();
SELECT * FROM verdict;
UPDATE auditspine.audit_chain SET payload = NULL WHERE event_kind = 'auditspine.adopt';
SELECT finding FROM found();
ROLLBACK;
SELECT * FROM verdict;

-- Every variant. Columns: storage, whether the bytes or the digits are hashed, form of seq, first prev_hash.
CREATE FUNCTION make(name text, storage text, input text, seq text, first text, genesis text, rows integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    prev text; -- as hex digits
    event text;
    chain text;
    text_prev text;
BEGIN
    EXECUTE format('CREATE TABLE %I (seq %s PRIMARY KEY, event_kind varchar(20), event_pk text, event_hash %s, prev_hash %3$s, chain_hash %3$s, appended_at timestamp)',
        name, CASE WHEN input = 'bytes' THEN 'bigint' ELSE 'integer' END, storage);
    prev := first;
    FOR i IN 1 .. rows LOOP
        event := encode(sha256(int4send(i)), 'hex');
        text_prev := CASE WHEN coalesce(prev, '') <> '' THEN prev WHEN genesis = 'zeros' THEN repeat('0', 64) ELSE '' END;
        chain := encode(sha256(
            CASE input WHEN 'bytes' THEN decode(text_prev || event, 'hex') ELSE convert_to(text_prev || event, 'UTF8') END
            || CASE seq WHEN 'int8' THEN int8send(i * 2) ELSE convert_to((i * 2)::text, 'UTF8') END), 'hex');
        IF storage = 'bytea' THEN
            EXECUTE format('INSERT INTO %I VALUES ($1, ''k'', ''1'', decode($2, ''hex''), decode($3, ''hex''), decode($4, ''hex''), ''2020-01-01'')', name)
                USING i * 2, event, prev, chain;
        ELSE
            EXECUTE format('INSERT INTO %I VALUES ($1, ''k'', ''1'', $2, $3, $4, ''2020-01-01'')', name) USING i * 2, event, prev, chain;
        END IF;
        prev := chain;
    END LOOP;
END $$;
SELECT storage, input, seq, coalesce(first, 'NULL') AS first, genesis, make(format('v%s', n), storage, input, seq, first, genesis, 5)
FROM (SELECT row_number() OVER (ORDER BY s, i, q, f) AS n, storage, input, seq, first, genesis FROM
    (VALUES (1, 'bytea'), (2, 'text'), (3, 'varchar(64)'), (4, 'char(64)')) v (s, storage),
    (VALUES (1, 'bytes'), (2, 'hex')) w (i, input),
    (VALUES (1, 'int8'), (2, 'decimal')) x (q, seq),
    (VALUES (1, NULL, 'nothing'), (2, '', 'nothing'), (3, NULL, 'zeros'), (4, repeat('0', 64), 'zeros')) y (f, first, genesis)) v
ORDER BY n;
SELECT n, variant, entries, breaks, outcome, (verify_adopted(format('v%s', n)::regclass)).ok
FROM generate_series(1, 64) n, adopt_chain(format('v%s', n)::regclass) ORDER BY n;
SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'auditspine.adopt';

-- Breaks that are there already: reported, all of them, and anchored.
CREATE SCHEMA "Old";
SELECT make('broken', 'bytea', 'bytes', 'int8', NULL, 'nothing', 30);
ALTER TABLE broken SET SCHEMA "Old";
ALTER TABLE "Old".broken DROP CONSTRAINT broken_pkey;
ALTER TABLE "Old".broken RENAME TO "Chain";
UPDATE "Old"."Chain" SET event_hash = sha256('x') WHERE seq = 10;
DELETE FROM "Old"."Chain" WHERE seq IN (20, 22);
UPDATE "Old"."Chain" SET chain_hash = sha256('y') WHERE seq = 30;
INSERT INTO "Old"."Chain" SELECT * FROM "Old"."Chain" WHERE seq = 40;
UPDATE "Old"."Chain" SET seq = 101 - seq WHERE seq IN (50, 51);
UPDATE "Old"."Chain" SET event_hash = '\x00' WHERE seq = 54;
SELECT seq, finding, detail, expected IS NOT NULL AS expected, found IS NOT NULL AS found, anchored FROM adopted_findings('"Old"."Chain"');
SELECT outcome, table_name, entries, first_seq, last_seq, breaks FROM adopt_chain('"Old"."Chain"');
SELECT payload -> 'breaks' AS breaks, payload ->> 'breaks_count' AS count FROM auditspine.audit_chain WHERE event_pk = '"Old"."Chain"';
SELECT ok, breaks, new_breaks, changes FROM verify_adopted('"Old"."Chain"');
SELECT count(*), bool_and(anchored) AS anchored FROM adopted_findings('"Old"."Chain"');
-- One more is a new one.
UPDATE "Old"."Chain" SET event_hash = sha256('z') WHERE seq = 12;
SELECT ok, breaks, new_breaks, changes FROM verify_adopted('"Old"."Chain"');
SELECT seq, finding, anchored FROM adopted_findings('"Old"."Chain"') WHERE NOT anchored;
SELECT outcome, breaks FROM adopt_chain('"Old"."Chain"');
-- The first rows are gone.
SELECT make('headless', 'text', 'hex', 'decimal', '', 'nothing', 5);
DELETE FROM headless WHERE seq = 2;
SELECT outcome, breaks FROM adopt_chain('headless');
SELECT seq, finding, detail FROM adopted_findings('headless');
-- More breaks than are listed.
SELECT make('ruin', 'bytea', 'bytes', 'int8', NULL, 'nothing', 2200);
UPDATE ruin SET event_hash = sha256('x') WHERE seq % 4 = 0;
UPDATE ruin SET event_hash = sha256('x') WHERE seq > 2200;
SELECT outcome, entries, breaks FROM adopt_chain('ruin');
SELECT jsonb_array_length(payload -> 'breaks') AS listed, payload ->> 'breaks_count' AS count FROM auditspine.audit_chain WHERE event_pk = 'public.ruin';
SELECT ok, breaks, new_breaks, changes FROM verify_adopted('ruin');

-- Partitions, a row security that hides rows, a name that changed.
CREATE TABLE parts (seq bigint, event_kind text, event_pk text, event_hash bytea, prev_hash bytea, chain_hash bytea, appended_at timestamptz) PARTITION BY RANGE (seq);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1000) TO (100000);
INSERT INTO parts SELECT * FROM old_chain;
SELECT outcome, entries, breaks FROM adopt_chain('parts');
ALTER TABLE parts RENAME TO renamed;
SELECT attempt('SELECT verify_adopted(''renamed'')');
ALTER TABLE renamed RENAME TO parts;
SELECT ok FROM verify_adopted('parts');
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_reader;
RESET client_min_messages;
CREATE ROLE regress_auditspine_reader;
SELECT grant_auditor('regress_auditspine_reader');
SET ROLE regress_auditspine_reader;
SELECT ok FROM verify_adopted('parts');
SELECT attempt('SELECT adopt_chain(''parts'')');
RESET ROLE;
ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
SET ROLE regress_auditspine_reader;
SELECT attempt('SELECT verify_adopted(''parts'')');
RESET ROLE;
BEGIN READ ONLY;
SELECT ok FROM verify_adopted('parts');
SELECT attempt('SELECT adopt_chain(''parts'')');
ROLLBACK;

-- What is no such chain.
CREATE TABLE empty (LIKE old_chain);
CREATE TABLE lacks AS SELECT seq, event_kind, event_pk, event_hash, prev_hash, appended_at FROM old_chain LIMIT 1;
CREATE TABLE mixed AS SELECT seq, event_kind, event_pk, event_hash, encode(prev_hash, 'hex') AS prev_hash, chain_hash, appended_at FROM old_chain LIMIT 1;
CREATE TABLE float AS SELECT seq::float8, event_kind, event_pk, event_hash, prev_hash, chain_hash, appended_at FROM old_chain LIMIT 1;
CREATE TABLE number AS SELECT seq, event_kind, event_pk, 7 AS event_hash, prev_hash, chain_hash, appended_at FROM old_chain LIMIT 1;
CREATE TABLE other AS SELECT seq - 5000 AS seq, event_kind, event_pk, event_hash, prev_hash, chain_hash, appended_at FROM old_chain;
CREATE VIEW seen AS SELECT * FROM old_chain;
SELECT name, attempt(format('SELECT adopt_chain(%L)', name)) FROM unnest(ARRAY['empty', 'lacks', 'mixed', 'float', 'number', 'other', 'seen',
    'auditspine.audit_chain', 'pg_class', 'nosuch']) name;
SELECT attempt('SELECT adopt_chain(NULL)'), attempt('SELECT verify_adopted(''product'')'), attempt('SELECT verify_adopted(''empty'')');
-- A chain whose first rows are all damaged is known by the others of the first thousand.
UPDATE other SET seq = seq + 5000 WHERE seq + 5000 > 990;
SELECT outcome, variant, entries, breaks FROM adopt_chain('other');

-- Nothing of it depends on the session.
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'German';
SET search_path = '';
SELECT ok FROM public.verify_adopted('public.old_chain');
SELECT ok FROM public.verify_adopted('"Old"."Chain"');
RESET search_path;

ALTER TABLE parts DISABLE ROW LEVEL SECURITY;
DROP OWNED BY regress_auditspine_reader;
DROP ROLE regress_auditspine_reader;
SELECT bool_and(ok) AS links FROM verify_chain();
