-- Rows that an audited table shows and does not store: of tables that inherit from it, and of foreign ones.
CREATE VIEW verdict AS SELECT kind, ok, rows, findings FROM verify_table('payment'::text::regclass);
CREATE VIEW told AS SELECT key, finding, detail FROM verify_table_findings('payment'::text::regclass) ORDER BY detail COLLATE "C";
CREATE TABLE payment (id integer PRIMARY KEY, amount integer);
CREATE TABLE early () INHERITS (payment);
SELECT audit_attach('payment');
INSERT INTO payment VALUES (1, 10);
TABLE verdict;
TABLE told;
SELECT audit_attach('early', pk => '{id}');
TABLE verdict;
-- Joins later: made so, or by ALTER TABLE; below another one; with rows.
CREATE TABLE made () INHERITS (payment);
CREATE TABLE below () INHERITS (early);
CREATE TABLE slipped_in (id integer NOT NULL, amount integer);
INSERT INTO slipped_in VALUES (777, 777);
ALTER TABLE slipped_in INHERIT payment;
CREATE TABLE of_two () INHERITS (made, early);
CREATE SCHEMA other CREATE TABLE elsewhere () INHERITS (public.payment);
UPDATE payment SET amount = amount + 1;
TABLE verdict;
TABLE told;
SELECT layer, subject, ok FROM verify_all();
-- A child whose trigger is off, or does not see all; one whose rows are elsewhere; temporary ones are their session's.
DROP TABLE of_two, made, below;
ALTER TABLE early DISABLE TRIGGER auditspine_audit;
TABLE told;
ALTER TABLE early ENABLE ALWAYS TRIGGER auditspine_audit;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE far () INHERITS (payment) SERVER nowhere;
CREATE FOREIGN TABLE farther (id integer NOT NULL, amount integer) SERVER nowhere;
ALTER FOREIGN TABLE farther INHERIT payment;
CREATE TRIGGER by_hand AFTER INSERT OR UPDATE OR DELETE ON farther FOR EACH ROW EXECUTE FUNCTION audit_chain_append('farther', 'pk=id');
CREATE TEMPORARY TABLE passing () INHERITS (payment);
TABLE told;
DROP FOREIGN TABLE far, farther;
-- Audited as well, or gone from the table: in order.
ALTER TABLE slipped_in NO INHERIT payment;
SELECT audit_attach('other.elsewhere', kind => 'elsewhere', pk => '{id}');
TABLE verdict;
TABLE told;
-- A foreign partition, under triggers written by hand; audit_attach() refuses it.
CREATE TABLE hand (id integer, v integer) PARTITION BY LIST (id);
CREATE TABLE hand_1 PARTITION OF hand FOR VALUES IN (1);
CREATE TRIGGER mine AFTER INSERT OR UPDATE OR DELETE ON hand FOR EACH ROW EXECUTE FUNCTION audit_chain_append('hand', 'pk=id');
CREATE FOREIGN TABLE hand_2 PARTITION OF hand FOR VALUES IN (2) SERVER nowhere;
INSERT INTO hand VALUES (1, 1);
SELECT finding, detail FROM verify_table_findings('hand');
-- A plain child of a table that nobody audits is nobody's business.
CREATE TABLE plain (id integer);
CREATE TABLE plain_child () INHERITS (plain);
