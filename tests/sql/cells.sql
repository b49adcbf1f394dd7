-- Columns come, go, change their types and are left out: what was done to other cells is found all the same, cells that no
-- entry covers are counted as such, and nothing is told of that nobody did.
CREATE PROCEDURE tamper(target regclass, what text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER auditspine_audit', target);
    EXECUTE format(what, target);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER auditspine_audit', target);
END $$;
CREATE FUNCTION counts(target regclass) RETURNS text LANGUAGE sql AS $$
    SELECT format('ok %s rows %s edited %s deleted %s unrecorded %s unverifiable %s', ok, rows, edited, deleted, unrecorded, unverifiable)
    FROM verify_table(target) $$;
CREATE FUNCTION told(target regclass) RETURNS TABLE (finding text, key text, detail text, recorded jsonb) LANGUAGE sql AS $$
    SELECT finding, key, regexp_replace(detail, 'layout \d+', 'layout …', 'g'), recorded FROM verify_table_findings(target) ORDER BY key, finding, detail $$;
CREATE FUNCTION upon(target regclass) RETURNS SETOF jsonb LANGUAGE sql AS $$
    SELECT payload -> 'upon' FROM auditspine.audit_chain
    WHERE event_kind = 'auditspine.layout' AND payload ->> 'oid' = target::oid::text AND payload ? 'upon' ORDER BY seq $$;

-- A column is added: what it reads in rows that were there is known.
CREATE TABLE account (id integer PRIMARY KEY, email text);
SELECT audit_attach('account');
INSERT INTO account SELECT g, 'u' || g FROM generate_series(1, 9) g;
ALTER TABLE account ADD COLUMN is_admin boolean NOT NULL DEFAULT false, ADD COLUMN note text, ADD COLUMN doc jsonb DEFAULT '{"a": 1, "table": [2]}',
    ADD COLUMN born timestamptz DEFAULT '2026-01-01 00:00+00';
SELECT * FROM upon('account');
SELECT counts('account');
UPDATE account SET note = 'seen' WHERE id = 2;
CALL tamper('account', 'UPDATE %s SET is_admin = true WHERE id = 1');
CALL tamper('account', 'UPDATE %s SET note = ''unseen'', doc = ''{"a": 2}'' WHERE id IN (2, 3)');
CALL tamper('account', 'UPDATE %s SET email = ''x'' WHERE id = 4');
SELECT * FROM told('account');
-- The default goes, the table is rewritten, the column is renamed, or its type gets longer: what was expected still is.
ALTER TABLE account ALTER COLUMN is_admin DROP DEFAULT;
ALTER TABLE account RENAME COLUMN is_admin TO admin;
VACUUM FULL account;
SELECT counts('account');
SELECT finding, key, detail FROM told('account') WHERE key = '1';
-- One that is put right is in order.
CALL tamper('account', 'UPDATE %s SET admin = false, email = ''u1'' WHERE id = 1');
SELECT counts('account');

-- What each row was given by itself is not known: these cells are unwatched until the row is written.
CREATE TABLE drawn (id integer PRIMARY KEY, v integer);
SELECT audit_attach('drawn');
INSERT INTO drawn VALUES (1, 1), (2, 2), (3, 3);
ALTER TABLE drawn ADD COLUMN token uuid DEFAULT gen_random_uuid();
ALTER TABLE drawn ADD COLUMN number integer GENERATED ALWAYS AS IDENTITY, ADD COLUMN twice integer GENERATED ALWAYS AS (v * 2) STORED;
-- The default is gone at once: it filled the column all the same.
BEGIN;
ALTER TABLE drawn ADD COLUMN filled uuid DEFAULT gen_random_uuid();
ALTER TABLE drawn ALTER COLUMN filled DROP DEFAULT;
COMMIT;
SELECT * FROM upon('drawn');
UPDATE drawn SET v = 20 WHERE id = 2;
SELECT counts('drawn');
SELECT * FROM told('drawn');
SELECT layer, ok, detail FROM verify_all() WHERE subject = 'public.drawn';
CALL tamper('drawn', 'UPDATE %s SET v = 30 WHERE id = 3');
SELECT finding, key FROM told('drawn');

-- A type that keeps the text proves as much as none: with hashes alone other cells, and the column itself, are watched.
CREATE TABLE staff (id integer PRIMARY KEY, name varchar(20), salary integer, at timestamp(3), tags varchar(5)[]);
SELECT audit_attach('staff');
INSERT INTO staff SELECT g, 'n' || g, g * 100, '2026-01-01 00:00:00.123', '{a,b}' FROM generate_series(1, 6) g;
CALL tamper('staff', 'UPDATE %s SET name = ''before'' WHERE id = 1');
CALL tamper('staff', 'UPDATE %s SET salary = 1 WHERE id = 2');
ALTER TABLE staff ALTER salary TYPE bigint, ALTER name TYPE text, ALTER at TYPE timestamp, ALTER tags TYPE text[];
SELECT * FROM upon('staff');
ALTER TABLE staff ALTER salary TYPE numeric;
CALL tamper('staff', 'UPDATE %s SET salary = 1 WHERE id = 3');
CALL tamper('staff', 'UPDATE %s SET name = ''after'' WHERE id = 4');
SELECT finding, key, detail FROM told('staff');
-- Any other makes that column unverifiable. With hashes alone that is all there is to say.
ALTER TABLE staff ALTER salary TYPE double precision;
SELECT counts('staff');
SELECT finding, key, detail FROM told('staff') WHERE key = '1';
-- Of some the text can be told that they had.
CREATE TYPE mood AS ENUM ('ok', 'bad');
CREATE TABLE texts (id integer PRIMARY KEY, n integer, b boolean, d date, m mood, u uuid);
SELECT audit_attach('texts');
INSERT INTO texts SELECT g, g, g > 2, '2026-01-01', 'ok', '00000000-0000-0000-0000-000000000001' FROM generate_series(1, 4) g;
CALL tamper('texts', 'UPDATE %s SET n = 7 WHERE id = 1');
ALTER TYPE mood ADD VALUE 'fine';
ALTER TABLE texts ALTER n TYPE text, ALTER b TYPE varchar(5), ALTER d TYPE timestamp, ALTER m TYPE text, ALTER u TYPE text;
SELECT finding, key, detail FROM told('texts');
CALL tamper('texts', 'UPDATE %s SET n = ''x'' WHERE id = 2');
CALL tamper('texts', 'UPDATE %s SET d = ''2026-01-01 12:00'' WHERE id = 3');
CALL tamper('texts', 'UPDATE %s SET m = ''fine'' WHERE id = 4');
SELECT finding, key, detail FROM told('texts');

-- What a dropped column held lies in rows that were not written since.
CREATE TABLE narrowed (id integer PRIMARY KEY, a text, b numeric(8,2), c point, m mood);
SELECT audit_attach('narrowed');
INSERT INTO narrowed SELECT g, repeat('a', 5000), g, '(1,2)', 'ok' FROM generate_series(1, 4) g;
INSERT INTO narrowed VALUES (5, NULL, NULL, NULL, NULL);
CALL tamper('narrowed', 'UPDATE %s SET b = 99 WHERE id = 1');
ALTER TABLE narrowed DROP COLUMN a, DROP COLUMN m;
SELECT finding, key, detail FROM told('narrowed');
-- Who wrote a row since without an entry leaves nothing to compare it with, where hashes alone are kept.
CALL tamper('narrowed', 'UPDATE %s SET b = 99 WHERE id IN (2, 5)');
SELECT finding, key, detail FROM told('narrowed');
UPDATE narrowed SET b = 98 WHERE id = 2;
ALTER TABLE narrowed DROP COLUMN c;
SELECT finding, key, detail FROM told('narrowed');
VACUUM FULL narrowed;
SELECT counts('narrowed');
-- A type that is gone cannot be read.
CREATE TYPE pair AS (x integer, y integer);
CREATE TABLE typed (id integer PRIMARY KEY, p pair, v integer);
SELECT audit_attach('typed');
INSERT INTO typed VALUES (1, (1, 2), 3);
DROP TYPE pair CASCADE;
SELECT counts('typed');

-- Where rows are kept, the other columns are compared.
CREATE TABLE kept (id integer PRIMARY KEY, name text, salary integer, at date);
SELECT audit_attach('kept', payload => 'full');
INSERT INTO kept SELECT g, 'n' || g, g * 100, '2026-01-01' FROM generate_series(1, 6) g;
CALL tamper('kept', 'UPDATE %s SET name = ''before'' WHERE id = 1');
CALL tamper('kept', 'UPDATE %s SET salary = 1 WHERE id = 2');
ALTER TABLE kept ALTER salary TYPE text, ALTER at TYPE timestamp;
CALL tamper('kept', 'UPDATE %s SET name = ''after'' WHERE id = 3');
SELECT counts('kept');
SELECT finding, key, detail FROM told('kept');
-- An expression makes all values anew, though the type is the same: nobody edited them.
CREATE TABLE computed (id integer PRIMARY KEY, name text, salary integer);
SELECT audit_attach('computed', payload => 'full');
INSERT INTO computed SELECT g, 'n' || g, g * 100 FROM generate_series(1, 3) g;
ALTER TABLE computed ALTER salary TYPE integer USING salary * 2;
SELECT * FROM upon('computed');
INSERT INTO computed VALUES (4, 'n4', 400);
SELECT counts('computed');
CALL tamper('computed', 'UPDATE %s SET name = ''x'', salary = 1 WHERE id = 2');
CALL tamper('computed', 'UPDATE %s SET salary = 1 WHERE id = 4');
SELECT finding, key, detail FROM told('computed');

-- A column that is left out for a while: what was recorded before is what is there, unless an entry tells otherwise.
CREATE TABLE hidden (id integer PRIMARY KEY, name text, salary integer);
SELECT audit_attach('hidden');
INSERT INTO hidden SELECT g, 'n' || g, 100 FROM generate_series(1, 5) g;
CALL tamper('hidden', 'UPDATE %s SET salary = 1 WHERE id = 1');
SELECT audit_attach('hidden', exclude => '{salary}');
SELECT finding, key, detail FROM told('hidden');
UPDATE hidden SET salary = 2 WHERE id = 2;
SELECT audit_attach('hidden');
SELECT finding, key, detail FROM told('hidden');
SELECT counts('hidden');
CALL tamper('hidden', 'UPDATE %s SET salary = 3 WHERE id IN (2, 3)');
SELECT finding, key, detail FROM told('hidden');
-- Where what is unchanged was not recorded, it may have changed meanwhile.
CREATE TABLE skipped (id integer PRIMARY KEY, name text, salary integer);
SELECT audit_attach('skipped', skip_unchanged => true);
INSERT INTO skipped VALUES (1, 'a', 100), (2, 'b', 100);
SELECT audit_attach('skipped', skip_unchanged => true, exclude => '{salary}');
UPDATE skipped SET salary = 2 WHERE id = 2;
SELECT counts('skipped');
SELECT audit_attach('skipped', skip_unchanged => true);
SELECT counts('skipped');
SELECT finding, key, detail FROM told('skipped');
-- A column that was never recorded, though it was there, was not added.
CREATE TABLE late (id integer PRIMARY KEY, secret text);
INSERT INTO late VALUES (1, 's');
SELECT audit_attach('late', exclude => '{secret}', backfill => true);
SELECT audit_attach('late');
SELECT counts('late');
SELECT finding, detail FROM told('late');

-- Another column of the same name and type, or names that changed places: an equal hash is not an equal row.
CREATE TABLE again (id integer PRIMARY KEY, v integer, w integer);
SELECT audit_attach('again');
INSERT INTO again VALUES (1, 1, 2), (2, 1, 2), (3, 1, 2);
ALTER TABLE again DROP COLUMN w;
ALTER TABLE again ADD COLUMN w integer DEFAULT 0;
CALL tamper('again', 'UPDATE %s SET w = 2 WHERE id = 1');
SELECT finding, key, detail FROM told('again');
CREATE TABLE swapped (id integer PRIMARY KEY, a integer, b integer);
SELECT audit_attach('swapped');
INSERT INTO swapped VALUES (1, 1, 2), (2, 1, 2);
ALTER TABLE swapped RENAME a TO c;
ALTER TABLE swapped RENAME b TO a;
ALTER TABLE swapped RENAME c TO b;
SELECT counts('swapped');
CALL tamper('swapped', 'UPDATE %s SET a = b, b = a WHERE id = 1');
SELECT finding, key, detail FROM told('swapped');

-- Partitions and children have the column under numbers of their own.
CREATE TABLE whole (id integer, part integer, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE part_one PARTITION OF whole FOR VALUES IN (1);
CREATE TABLE part_two (gone integer, v text, part integer NOT NULL, id integer NOT NULL);
ALTER TABLE part_two DROP COLUMN gone;
ALTER TABLE whole ATTACH PARTITION part_two FOR VALUES IN (2);
SELECT audit_attach('whole');
INSERT INTO whole VALUES (1, 1, 'a'), (2, 2, 'a'), (3, 2, 'a');
ALTER TABLE whole ADD COLUMN flag boolean DEFAULT false, ALTER COLUMN v TYPE varchar;
SELECT upon('part_one'), upon('part_two');
SELECT counts('whole');
CALL tamper('part_two', 'UPDATE %s SET flag = true WHERE id = 3');
SELECT finding, key, detail FROM told('whole');
CREATE TABLE parent (id integer PRIMARY KEY, v text);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
SELECT audit_attach('child');
INSERT INTO child VALUES (1, 'a'), (2, 'b');
ALTER TABLE parent ADD COLUMN flag boolean DEFAULT false;
ALTER TABLE parent ADD COLUMN IF NOT EXISTS flag boolean DEFAULT true;
SELECT counts('child');
CALL tamper('child', 'UPDATE %s SET flag = true WHERE id = 2');
SELECT finding, key, detail FROM told('child');

-- In one transaction with what the columns are changed for, and rolled back.
CREATE TABLE migrated (id integer PRIMARY KEY, v integer);
SELECT audit_attach('migrated');
INSERT INTO migrated VALUES (1, 1), (2, 2);
BEGIN;
INSERT INTO migrated VALUES (3, 3);
ALTER TABLE migrated ADD COLUMN total bigint DEFAULT 0;
UPDATE migrated SET total = v * 10 WHERE id < 3;
SAVEPOINT s;
ALTER TABLE migrated ALTER COLUMN total TYPE integer USING 7;
ROLLBACK TO s;
COMMIT;
SELECT counts('migrated');
CALL tamper('migrated', 'UPDATE %s SET total = 1 WHERE id = 3');
SELECT finding, key, detail FROM told('migrated');

-- Nothing that was found goes by ending the audit and beginning again, nor by another name.
ALTER TABLE account RENAME TO customer;
SELECT key, finding FROM told('customer') WHERE finding = 'row_edited';
SELECT audit_detach('customer');
SELECT audit_attach('customer', kind => 'account');
SELECT key, finding FROM told('customer') WHERE finding = 'row_edited';

-- Rewrites of all rows raise no alarm.
CREATE TABLE rewritten (id integer PRIMARY KEY, v integer, gone text);
SELECT audit_attach('rewritten', payload => 'full');
INSERT INTO rewritten VALUES (1, 1, 'x'), (2, 2, 'y');
ALTER TABLE rewritten ADD COLUMN w integer DEFAULT 5;
CLUSTER rewritten USING rewritten_pkey;
ALTER TABLE rewritten DROP COLUMN gone;
VACUUM FULL rewritten;
ALTER TABLE rewritten SET (fillfactor = 50), ALTER COLUMN v TYPE bigint;
SELECT counts('rewritten');
CALL tamper('rewritten', 'UPDATE %s SET w = 6 WHERE id = 1');
CALL tamper('rewritten', 'UPDATE %s SET v = 6 WHERE id = 2');
SELECT finding, key, detail FROM told('rewritten');
