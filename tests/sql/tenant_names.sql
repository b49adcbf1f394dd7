-- Tenants may be called what they like: none gets at an operator's chain by its name.
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
    RETURN sqlstate || ': ' || message;
END $$;
CREATE ROLE regress_auditspine_app;
CREATE ROLE regress_auditspine_fixed;
GRANT EXECUTE ON FUNCTION attempt(text) TO PUBLIC;

CREATE TABLE payroll (id integer PRIMARY KEY, salary numeric);
SELECT audit_attach('payroll', payload => 'full');
CREATE TABLE invoice (id integer PRIMARY KEY, tenant text);
SELECT audit_attach('invoice', payload => 'full', chain_by => '{tenant}');
SELECT create_chain('payments', 1) > 1 AS made;
SELECT pk FROM (SELECT (audit_chain_append('payment', '1', '{"amount": 7}', 'payments')).event_pk AS pk) AS a;
INSERT INTO payroll VALUES (1, 1000000);
INSERT INTO invoice VALUES (1, 'acme'), (2, 'main'), (3, NULL), (4, 'payments'), (5, 'tenant:main'), (6, 'tenant:'), (7, '');
SELECT name, tenant, origin, lanes FROM auditspine.chain ORDER BY name;
SELECT c.name, e.event_kind, e.op, e.event_pk FROM auditspine.audit_chain AS e JOIN auditspine.chain AS c USING (chain_id)
WHERE e.op <> 'S' ORDER BY e.seq;
-- In one transaction by the tenant's value and by the chain's name, with a part that is undone.
BEGIN;
INSERT INTO invoice VALUES (8, 'zeta');
SAVEPOINT part;
INSERT INTO invoice VALUES (9, 'omega');
SELECT audit_flush();
ROLLBACK TO part;
SELECT audit_flush();
SELECT (audit_chain_append('note', '1', NULL, 'zeta')).pos;
INSERT INTO invoice VALUES (10, 'omega'), (11, 'zeta'), (12, 'main');
UPDATE invoice SET tenant = 'main' WHERE id = 3;
COMMIT;
SELECT name, tenant, origin FROM auditspine.chain WHERE name IN ('zeta', 'omega') ORDER BY name;
SELECT bool_and(ok) AS ok, sum(findings) AS findings FROM verify_chain();
SELECT ok, rows FROM verify_table('invoice');

-- What a setting lets be seen is the tenant's, whatever the name.
SELECT grant_auditor('regress_auditspine_app', chain_setting => 'app.tenant');
CREATE FUNCTION sees(tenant text) RETURNS TABLE (chain text, kinds text, keys text) LANGUAGE plpgsql AS $$ BEGIN
    PERFORM set_config('app.tenant', tenant, false);
    RETURN QUERY SELECT c.name, string_agg(DISTINCT e.event_kind, ' '), string_agg(e.op::text || e.event_pk, ' ' ORDER BY e.seq)
        FROM auditspine.audit_chain AS e JOIN auditspine.chain AS c USING (chain_id) GROUP BY c.name;
END $$;
GRANT SELECT ON invoice TO regress_auditspine_app;
SET ROLE regress_auditspine_app;
SELECT t.tenant, s.* FROM unnest('{acme,main,payments,tenant:main,tenant:,nobody}'::text[]) AS t (tenant), sees(t.tenant) AS s;
SELECT count(*) FROM sees('');
SET app.tenant = 'main';
SELECT ok, rows FROM verify_table('invoice');
SELECT chain, ok FROM verify_chain();
SELECT attempt('SELECT * FROM verify_table(''payroll'')'), attempt('SELECT * FROM verify_chain(''main'')');
SELECT op FROM audit_history('invoice', '3') ORDER BY seq;
RESET ROLE;

-- Of one chain: that of the tenant of that name, if there is one; never chain main.
SELECT grant_auditor('regress_auditspine_fixed', chain => 'payments');
SELECT grant_auditor('regress_auditspine_fixed', chain => 'main');
SELECT role_name, chain, chain_setting FROM auditspine.auditor WHERE chain IS NOT NULL;
SET ROLE regress_auditspine_fixed;
SELECT name FROM auditspine.chain;
RESET ROLE;
-- Without a tenant of the name, it is the operators'.
SELECT create_chain('ledger') > 1 AS made;
SELECT grant_auditor('regress_auditspine_fixed', chain => 'ledger');
SELECT role_name, chain FROM auditspine.auditor WHERE chain IS NOT NULL;
SELECT attempt('SELECT grant_auditor(''regress_auditspine_fixed'', chain => ''nosuch'')');
DELETE FROM invoice WHERE tenant = 'main';

-- Chains are named where that is for operators to do; a tenant's is none of theirs.
SELECT attempt('SELECT create_chain(''acme'')'), attempt('SELECT create_chain(''tenant:beta'')');
CREATE TABLE t (id integer PRIMARY KEY);
SELECT attempt('SELECT audit_attach(''t'', chain => ''acme'')'), attempt('SELECT audit_attach(''t'', chain => ''tenant:main'')');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION audit_chain_append('t', 'chain=acme');
SELECT attempt('INSERT INTO t VALUES (1)');
DROP TABLE t;
-- By hand entries go to any.
SELECT (audit_chain_append('note', '2', NULL, 'acme')).pos;

-- The rows of an operator's chain, beside those of a tenant of its name.
SELECT ok, rows FROM verify_table('invoice', chain => 'payments');
SELECT ok, rows FROM verify_table('invoice', chain => 'main');
SELECT ok, rows FROM verify_table('invoice', chain => 'acme');

-- Chains from a dump of an earlier version do not say whose they are.
SET session_replication_role = replica;
UPDATE auditspine.chain SET tenant = NULL, origin = DEFAULT;
RESET session_replication_role;
SET ROLE regress_auditspine_app;
SELECT t.tenant, s.* FROM unnest('{acme,main,payments}'::text[]) AS t (tenant), sees(t.tenant) AS s;
RESET ROLE;
-- They are written and verified as before.
INSERT INTO invoice VALUES (20, 'acme'), (21, NULL);
SELECT (audit_chain_append('payment', '2', '{"amount": 8}', 'payments')).pos;
SELECT ok, rows FROM verify_table('invoice', chain => 'acme');
SELECT bool_and(ok) AS ok FROM verify_chain();
SELECT * FROM auditspine.settle_chains();
SELECT name, tenant, origin FROM auditspine.chain ORDER BY name;
INSERT INTO invoice VALUES (30, 'acme'), (31, 'payments'), (32, 'ledger');
SELECT ok, rows FROM verify_table('invoice', chain => 'acme');
SELECT name, tenant, origin FROM auditspine.chain WHERE name LIKE '%ledger' OR name LIKE '%payments' ORDER BY name;
SET ROLE regress_auditspine_app;
SELECT t.tenant, s.* FROM unnest('{acme,payments,ledger}'::text[]) AS t (tenant), sees(t.tenant) AS s;
SELECT attempt('SELECT auditspine.settle_chains()');
SELECT attempt('SELECT count(*) FROM auditspine.lock');
RESET ROLE;
SELECT bool_and(ok) AS ok, sum(findings) AS findings FROM verify_chain();
SELECT attempt('UPDATE auditspine.chain SET name = name');

-- Locks that this transaction has.
BEGIN;
INSERT INTO invoice VALUES (40, 'acme');
INSERT INTO payroll VALUES (2, 1);
SELECT audit_flush();
SELECT what, granted, pid = pg_backend_pid() AS mine, gid, usename = session_user AS by_me, since <= now() AS since, chains, lane
FROM auditspine.lock ORDER BY chains;
PREPARE TRANSACTION 'regress auditspine locks';
SELECT what, granted, pid, gid, usename = session_user AS by_me, chains, lane FROM auditspine.lock ORDER BY chains;
ROLLBACK PREPARED 'regress auditspine locks';
SELECT count(*) FROM auditspine.lock;

DROP OWNED BY regress_auditspine_app, regress_auditspine_fixed;
DELETE FROM auditspine.auditor;
DROP ROLE regress_auditspine_app;
DROP ROLE regress_auditspine_fixed;
