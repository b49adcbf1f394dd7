-- Who may do what: writers of audited tables need nothing on auditspine.*, and can do nothing there;
-- an auditor reads and verifies; not even a superuser changes an entry by accident.
SELECT create_chain('ledger', 2) > 1 AS made;
-- Left by a run that was interrupted.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_writer, regress_auditspine_auditor, regress_auditspine_owner;
RESET client_min_messages;
CREATE ROLE regress_auditspine_writer;
CREATE ROLE regress_auditspine_auditor;
CREATE ROLE regress_auditspine_owner;
GRANT USAGE ON SCHEMA auditspine TO regress_auditspine_auditor;
GRANT SELECT ON auditspine.chain, auditspine.audit_chain TO regress_auditspine_auditor;
GRANT CREATE ON SCHEMA public TO regress_auditspine_owner;
CREATE TABLE item (id integer PRIMARY KEY, tenant text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'chain_by=tenant');
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON item
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append('item', 'chain=ledger');
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON item TO regress_auditspine_writer;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END $$;

-- The writer writes what it may, and makes a tenant's chain by doing so.
SET SESSION AUTHORIZATION regress_auditspine_writer;
SET search_path = '';
INSERT INTO public.item VALUES (1, 'acme'), (2, 'acme');
UPDATE public.item SET tenant = 'zeta' WHERE id = 2;
DELETE FROM public.item WHERE id = 1;
TRUNCATE public.item;
BEGIN;
INSERT INTO public.item VALUES (3, 'acme');
SELECT public.audit_flush();
COMMIT;
RESET search_path;

-- And nothing else: it neither reads nor writes the state, nor appends by hand, nor makes chains.
SELECT command, attempt(command)
FROM unnest(ARRAY[
    'SELECT FROM auditspine.audit_chain',
    'SELECT FROM auditspine.chain',
    'INSERT INTO auditspine.audit_chain SELECT',
    'INSERT INTO auditspine.audit_chain SELECT (null::auditspine.audit_chain).*',
    'UPDATE auditspine.audit_chain SET event_pk = ''9''',
    'DELETE FROM auditspine.audit_chain',
    'TRUNCATE auditspine.audit_chain',
    'DROP TABLE auditspine.audit_chain',
    'ALTER TABLE auditspine.audit_chain DISABLE TRIGGER ALL',
    'INSERT INTO auditspine.chain VALUES (99, ''x'', 1, now())',
    'UPDATE auditspine.chain SET lanes = 1',
    'DELETE FROM auditspine.chain',
    'SELECT nextval(''auditspine.audit_seq'')',
    'SELECT setval(''auditspine.audit_seq'', 1)',
    'SELECT audit_chain_append(''item'', ''1'', ''{}'')',
    'SELECT create_chain(''mine'')',
    'SELECT FROM verify_chain()',
    'SELECT FROM chain_findings(''main'')',
    'ALTER TABLE public.item DISABLE TRIGGER audit',
    'SET session_replication_role = replica',
    'SELECT canonical_json(''{}''), canonical_json_hash(''{}''), canonical_row_hash(row(1)), spine_root_hash(''{}''::text[])'
]) command;
RESET SESSION AUTHORIZATION;

-- What it did is recorded under its name.
SELECT name AS chain, op, event_pk, db_user
FROM auditspine.audit_chain JOIN auditspine.chain USING (chain_id) ORDER BY seq;
-- The session user is recorded, not a role taken on.
SET ROLE regress_auditspine_writer;
INSERT INTO item VALUES (4, 'acme');
RESET ROLE;
SELECT db_user = session_user AS session_user FROM auditspine.audit_chain ORDER BY seq DESC LIMIT 1;

-- The auditor reads and verifies, and writes nothing.
SET SESSION AUTHORIZATION regress_auditspine_auditor;
SELECT chain, ok, entries, findings FROM verify_chain() ORDER BY chain COLLATE "C";
SELECT count(*) AS findings FROM chain_findings();
SET default_transaction_read_only = on;
SELECT bool_and(ok) AS read_only_too FROM verify_chain();
RESET default_transaction_read_only;
SELECT command, attempt(command)
FROM unnest(ARRAY[
    'SELECT FROM auditspine.audit_chain',
    'SELECT FROM auditspine.chain',
    'INSERT INTO auditspine.chain VALUES (99, ''x'', 1, now())',
    'UPDATE auditspine.audit_chain SET event_pk = ''9''',
    'DELETE FROM auditspine.audit_chain',
    'TRUNCATE auditspine.audit_chain',
    'SELECT audit_chain_append(''item'', ''1'', ''{}'')',
    'SELECT create_chain(''mine'')'
]) command;
RESET SESSION AUTHORIZATION;
-- One of the two tables is not enough.
REVOKE SELECT ON auditspine.chain FROM regress_auditspine_auditor;
SET SESSION AUTHORIZATION regress_auditspine_auditor;
SELECT attempt('SELECT FROM verify_chain()');
SELECT attempt('SELECT FROM chain_findings()');
RESET SESSION AUTHORIZATION;
GRANT SELECT ON auditspine.chain TO regress_auditspine_auditor;
REVOKE SELECT ON auditspine.audit_chain FROM regress_auditspine_auditor;
SET SESSION AUTHORIZATION regress_auditspine_auditor;
SELECT attempt('SELECT FROM verify_chain()');
RESET SESSION AUTHORIZATION;

-- The owner of a table of their own cannot forge events of another's: declaring a trigger needs EXECUTE, firing it does not.
SET SESSION AUTHORIZATION regress_auditspine_owner;
CREATE TABLE mine (id integer PRIMARY KEY);
SELECT attempt('CREATE TRIGGER forge AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION audit_chain_append(''item'')');
RESET SESSION AUTHORIZATION;

-- The superuser: refused by triggers, with a hint, unless they are switched off on purpose.
\set VERBOSITY default
UPDATE auditspine.audit_chain SET event_pk = '9' WHERE event_pk = '1';
DELETE FROM auditspine.audit_chain WHERE event_pk = '1';
TRUNCATE auditspine.audit_chain;
UPDATE auditspine.chain SET lanes = 1;
DELETE FROM auditspine.chain;
SELECT attempt('UPDATE auditspine.audit_chain SET event_pk = ''9'' WHERE false') AS even_of_no_row,
       attempt('TRUNCATE auditspine.chain') AS truncate_chain,
       attempt('DROP TABLE auditspine.audit_chain') AS drop_member;
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE auditspine.audit_chain SET event_pk = '9' WHERE event_pk = '1' AND op = 'I';
RESET session_replication_role;
SELECT chain, ok, findings FROM verify_chain() WHERE NOT ok;
ROLLBACK;
SELECT bool_and(ok) AS ok FROM verify_chain();

DROP TABLE item, mine;
DROP FUNCTION attempt;
REVOKE CREATE ON SCHEMA public FROM regress_auditspine_owner;
DROP OWNED BY regress_auditspine_auditor;
DROP ROLE regress_auditspine_writer;
DROP ROLE regress_auditspine_auditor;
DROP ROLE regress_auditspine_owner;
