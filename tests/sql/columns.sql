-- Columns that the audit itself names are renamed and dropped: its triggers follow, in partitions too.
CREATE VIEW declared AS
SELECT table_name, pk, chain_by, exclude, problem FROM auditspine.audited_table ORDER BY table_name::text;
CREATE VIEW told AS
SELECT payload - 'table' AS attached FROM auditspine.audit_chain WHERE event_kind = 'auditspine.attach' ORDER BY seq DESC LIMIT 1;

CREATE TABLE item (id integer PRIMARY KEY, tenant text, secret text, "odd,name" text, v numeric);
SELECT audit_attach('item', pk => '{id}', chain_by => '{tenant}', exclude => '{secret,"odd,name"}', payload => 'full');
INSERT INTO item VALUES (1, 'acme', 's3cret', 'odd', 1);
ALTER TABLE item RENAME id TO ident;
ALTER TABLE item RENAME tenant TO "Company ""A""";
ALTER TABLE item RENAME secret TO "hidden, too";
INSERT INTO item VALUES (2, 'acme', 's3cret', 'odd', 2);
SELECT * FROM declared;
SELECT * FROM told;
SELECT event_pk, c.name AS chain, payload FROM auditspine.audit_chain JOIN auditspine.chain c USING (chain_id) WHERE event_kind = 'item' ORDER BY seq;
-- The same again is the same.
SELECT audit_attach('item', pk => '{ident}', chain_by => ARRAY['Company "A"'], exclude => ARRAY['hidden, too', 'odd,name'], payload => 'full');

-- What was left out and is gone need not be left out any more; other columns of that name are not left out.
ALTER TABLE item DROP COLUMN "hidden, too", DROP COLUMN "odd,name";
SELECT exclude, problem FROM declared;
ALTER TABLE item ADD COLUMN "hidden, too" text;
INSERT INTO item VALUES (3, 'acme', 3, 'seen');
SELECT payload FROM auditspine.audit_chain WHERE event_kind = 'item' AND event_pk = '3';
SELECT ok, rows, unverifiable, findings FROM verify_table('item');

-- A rename that is taken back takes the arguments back.
BEGIN;
ALTER TABLE item RENAME ident TO other;
SAVEPOINT s;
ALTER TABLE item RENAME other TO another;
INSERT INTO item VALUES (4, 'acme', 4);
ROLLBACK TO s;
INSERT INTO item VALUES (5, 'acme', 5);
SELECT pk FROM declared;
ROLLBACK;
SELECT pk FROM declared;
INSERT INTO item VALUES (6, 'acme', 6);

-- A key column that is dropped takes the key with it: that cannot be followed.
ALTER TABLE item DROP COLUMN ident;
SELECT pk, problem FROM declared;
INSERT INTO item VALUES ('acme', 7);
DROP TABLE item;
SELECT audit_detach_kind('item');

-- Partitions, and triggers made by hand.
CREATE TABLE part (at date, id integer, secret text, v text, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE TABLE part_a PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SELECT audit_attach('part', exclude => '{secret}');
CREATE TABLE by_hand (id integer, secret text, v text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON by_hand FOR EACH ROW EXECUTE FUNCTION audit_chain_append('hand', 'pk=id', 'exclude=secret');
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON by_hand FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append('hand', 'pk=id', 'exclude=secret');
ALTER TABLE part RENAME secret TO hidden;
ALTER TABLE by_hand RENAME secret TO hidden;
ALTER TABLE by_hand RENAME id TO ident;
INSERT INTO part VALUES ('2026-02-02', 1, 's3cret', 'v');
INSERT INTO by_hand VALUES (1, 's3cret', 'v');
TRUNCATE by_hand;
CREATE TABLE part_b PARTITION OF part FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
INSERT INTO part VALUES ('2027-02-02', 1, 's3cret', 'v');
SELECT tgrelid::regclass, tgname, pg_get_triggerdef(oid) ~ 'exclude=hidden' AS follows FROM pg_trigger
WHERE tgrelid IN ('part'::regclass, 'part_a'::regclass, 'part_b'::regclass, 'by_hand'::regclass) AND NOT tgisinternal OR tgparentid <> 0
ORDER BY tgrelid::regclass::text, tgname;
SELECT table_name, ok, rows, findings FROM verify_table('part') UNION ALL SELECT table_name, ok, rows, findings FROM verify_table('by_hand');
SELECT bool_and(ok) AS ok FROM verify_all();
