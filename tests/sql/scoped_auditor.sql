-- Auditors of one chain: a tenant reads and verifies its own, and learns nothing of another.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_full, regress_auditspine_reader, regress_auditspine_pool, regress_auditspine_fixed,
    regress_auditspine_plain, regress_auditspine_member, regress_auditspine_bypass;
RESET client_min_messages;
CREATE ROLE regress_auditspine_full;
CREATE ROLE regress_auditspine_reader;
CREATE ROLE regress_auditspine_pool;
CREATE ROLE regress_auditspine_fixed;
CREATE ROLE regress_auditspine_plain;
CREATE ROLE regress_auditspine_member;
CREATE ROLE regress_auditspine_bypass BYPASSRLS;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ': ' || message || CASE WHEN hint = '' THEN '' ELSE ' (' || hint || ')' END;
END $$;

-- A table with a chain per tenant, the key of which does not tell the tenant; and one in chain main.
CREATE TABLE finding (id integer PRIMARY KEY, tenant text, note text);
CREATE TABLE shared (id integer PRIMARY KEY);
SELECT audit_attach('finding', chain_by => '{tenant}', payload => 'full'), audit_attach('shared');
INSERT INTO finding SELECT g, 't' || g % 3, 'note' FROM generate_series(1, 12) g;
UPDATE finding SET note = 'changed' WHERE id IN (1, 2, 3);
DELETE FROM finding WHERE id IN (4, 5, 6);
-- From t1 to t2.
UPDATE finding SET tenant = 't2' WHERE id = 7;
INSERT INTO shared VALUES (1);

-- What cannot be granted.
SELECT attempt('SELECT grant_auditor(''regress_auditspine_fixed'', chain => ''nosuch'')');
SELECT attempt('SELECT grant_auditor(''regress_auditspine_fixed'', chain => ''t1'', chain_setting => ''app.tenant'')');
SELECT attempt(format('SELECT grant_auditor(''regress_auditspine_pool'', chain_setting => %L)', name))
FROM unnest(ARRAY['', 'search_path', 'app.', '.tenant', 'app.tenant; DROP TABLE finding', 'app.1', 'app tenant.x']) name;
SELECT attempt('SELECT grant_auditor(''regress_auditspine_bypass'', chain => ''t1'')');
GRANT SELECT ON auditspine.audit_chain TO PUBLIC;
SELECT attempt('SELECT grant_auditor(''regress_auditspine_fixed'', chain => ''t1'')');
REVOKE SELECT ON auditspine.audit_chain FROM PUBLIC;
SELECT relname, relrowsecurity FROM pg_class WHERE oid IN ('auditspine.chain'::regclass, 'auditspine.audit_chain'::regclass) ORDER BY 1;

-- Whoever could read everything still can, once the first role is kept to a chain.
GRANT USAGE ON SCHEMA auditspine TO regress_auditspine_reader, regress_auditspine_plain;
GRANT SELECT ON auditspine.chain, auditspine.audit_chain TO regress_auditspine_reader;
SELECT grant_auditor('regress_auditspine_full');
SELECT grant_auditor('regress_auditspine_pool', chain_setting => 'app.tenant');
SELECT grant_auditor('regress_auditspine_fixed', chain => 't1');
SELECT role_name, chain, chain_setting FROM auditspine.auditor ORDER BY 1;
SELECT polrelid::regclass AS on_table, polname, pg_get_expr(polqual, polrelid) AS shows FROM pg_policy ORDER BY 1, 2;
GRANT regress_auditspine_full TO regress_auditspine_member;
SELECT attempt('SELECT grant_auditor(''regress_auditspine_member'', chain => ''t1'')');
REVOKE regress_auditspine_full FROM regress_auditspine_member;
SELECT grant_auditor('regress_auditspine_fixed', chain => 't1');
SET ROLE regress_auditspine_full;
SELECT count(DISTINCT chain_id) AS chains FROM auditspine.audit_chain;
SELECT chain, ok FROM verify_chain() ORDER BY 1;
SELECT ok, rows FROM verify_table('finding');
SELECT bool_and(ok) FROM verify_all();
-- A policy of the administrator's own that restricts is heeded by the verifiers.
RESET ROLE;
CREATE POLICY own ON auditspine.chain AS RESTRICTIVE FOR SELECT TO regress_auditspine_full USING (name <> 't0');
SET ROLE regress_auditspine_full;
SELECT chain, ok FROM verify_chain() ORDER BY 1;
RESET ROLE;
DROP POLICY own ON auditspine.chain;
SET ROLE regress_auditspine_reader;
SELECT count(DISTINCT chain_id) AS chains FROM auditspine.audit_chain;
SELECT count(*) FROM verify_chain();
-- Who is granted SELECT later and no more sees nothing, and is told so by what would otherwise find nothing wrong.
RESET ROLE;
GRANT SELECT ON auditspine.chain, auditspine.audit_chain TO regress_auditspine_plain;
SET ROLE regress_auditspine_plain;
SELECT count(*) FROM auditspine.audit_chain;
SELECT attempt(command) FROM unnest(ARRAY['SELECT verify_chain()', 'SELECT verify_table(''finding'')', 'SELECT chain_heads()',
    'SELECT audit_history(''finding'', ''1'')', 'SELECT verify_publication('''')']) command;
RESET ROLE;

-- A role with a chain of its own.
SET SESSION AUTHORIZATION regress_auditspine_fixed;
SELECT name FROM auditspine.chain;
SELECT op, event_kind, event_pk FROM auditspine.audit_chain ORDER BY seq;
SELECT chain, ok, entries FROM verify_chain();
SELECT chain, ok, entries FROM verify_chain('t1');
SELECT chain, ok, entries > 2 AS some FROM verify_chain('t1', (SELECT min(seq) + 1 FROM auditspine.audit_chain));
SELECT count(*) FROM chain_findings();
SELECT table_name, ok, rows, entries FROM verify_table('finding');
SELECT ok, rows FROM verify_table('finding', 1);
SELECT ok, rows FROM verify_table('finding', chain => 't1');
SELECT chain, pos FROM chain_heads();
SELECT op, chain, changed FROM audit_history('finding', '7');
SELECT op, chain, changed FROM audit_history('finding', '2');
-- Chains that are there and chains that are not are told apart by nothing.
SELECT call, count(DISTINCT replace(attempt(format(call, name)), name, '…')) AS answers, min(replace(attempt(format(call, name)), name, '…')) AS answer
FROM unnest(ARRAY['t0', 't2', 'main', 'nosuch', '']) name,
     unnest(ARRAY['SELECT verify_chain(%L)', 'SELECT chain_findings(%L)', 'SELECT verify_table(''finding'', chain => %L)',
                  'SELECT verify_table_findings(''finding'', chain => %L)', 'SELECT chain_heads(%L)']) call
WHERE name <> ''
GROUP BY call ORDER BY call;
SELECT p.finding, count(*) FROM unnest(ARRAY['t0', 'main', 'nosuch']) name, publication_findings(format(
    '{"chain":%s,"chain_hash":"%s","lane":0,"pos":"1","published_at":"2026-11-20T23:58:01.000000Z","seq":"1","v":1}',
    to_json(name), repeat('0', 64))) p
GROUP BY p.finding;
-- What takes all chains is refused.
SELECT command, attempt(command) FROM unnest(ARRAY['SELECT verify_all()', 'SELECT verify_spines()', 'SELECT verify_spine(''x'')',
    'SELECT verify_table(''shared'')', 'SELECT FROM auditspine.alert', 'SELECT FROM auditspine.publication', 'SELECT FROM auditspine.audited_table',
    'SELECT FROM finding', 'SELECT audit_chain_append(''k'', ''1'', ''{}'')', 'SET row_security = off', 'SELECT publish_head()']) command;
SET row_security = off;
SELECT attempt('SELECT FROM auditspine.audit_chain'), attempt('SELECT verify_chain()');
RESET row_security;
-- A function of one's own learns nothing either.
CREATE FUNCTION pg_temp.peek(name text, id integer) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN RAISE NOTICE 'chain % is %', id, name; RETURN true; END $$;
SELECT count(*) FROM auditspine.chain WHERE pg_temp.peek(name, chain_id);
RESET SESSION AUTHORIZATION;

-- Pooled connections: a setting names the chain.
SET ROLE regress_auditspine_pool;
SELECT chain FROM verify_chain();
SELECT ok FROM verify_table('finding');
SELECT count(*) FROM auditspine.audit_chain;
SET app.tenant = 't2';
SELECT chain, ok, entries FROM verify_chain();
SELECT ok, rows, entries FROM verify_table('finding');
SET app.tenant = 'nosuch';
SELECT chain FROM verify_chain();
BEGIN;
SET LOCAL app.tenant = 't0';
SELECT chain, ok, entries FROM verify_chain();
SELECT ok, rows, entries FROM verify_table('finding');
COMMIT;
SELECT chain FROM verify_chain();
RESET ROLE;

-- Tampering with one tenant's rows turns that tenant's verdict.
ALTER TABLE finding DISABLE TRIGGER auditspine_audit;
UPDATE finding SET note = 'edited' WHERE id = 8;
INSERT INTO finding VALUES (100, 't2', 'slipped in');
-- Moved to another tenant: gone from one, unrecorded with the other.
UPDATE finding SET tenant = 't0' WHERE id = 10;
ALTER TABLE finding ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT name, v.ok, v.rows, v.edited, v.deleted, v.unrecorded FROM unnest(ARRAY['t0', 't1', 't2', 'main']) name, verify_table('finding', chain => name) v;
SELECT name, v.ok, v.edited, v.deleted, v.unrecorded FROM unnest(ARRAY['t0', 't1', 't2', 'main']) name, verify_table('finding', 1, name) v;
SELECT finding, key FROM verify_table_findings('finding') ORDER BY 2, 1;
SET ROLE regress_auditspine_fixed;
SELECT finding, key FROM verify_table_findings('finding');
RESET ROLE;
-- A TRUNCATE stands in chain main, and counts for every tenant.
TRUNCATE finding;
INSERT INTO finding VALUES (2, 't1', 'again');
SET ROLE regress_auditspine_fixed;
SELECT ok, rows FROM verify_table('finding');
SELECT op, chain FROM audit_history('finding', '10');
RESET ROLE;

-- Entries of one chain, damaged: told of to whoever may see them.
ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
UPDATE auditspine.audit_chain SET actor = 'mallory' WHERE event_kind = 'finding' AND event_pk = '8' AND op = 'I';
DELETE FROM auditspine.audit_chain AS e USING auditspine.chain AS c WHERE e.chain_id = c.chain_id AND name = 't0' AND pos = 2;
ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only;
SELECT chain, ok FROM verify_chain() ORDER BY 1;
SET ROLE regress_auditspine_fixed;
SELECT chain, ok FROM verify_chain();
SELECT finding FROM chain_findings();
SET ROLE regress_auditspine_pool;
SET app.tenant = 't0';
SELECT chain, finding, pos FROM chain_findings();
SET app.tenant = 't2';
SELECT chain, finding, event_pk FROM chain_findings();
RESET ROLE;

-- From one chain to all, and back to nothing.
SELECT grant_auditor('regress_auditspine_fixed');
SET ROLE regress_auditspine_fixed;
SELECT count(*) FROM verify_chain();
RESET ROLE;
SELECT grant_auditor('regress_auditspine_fixed', chain => 't2');
SET ROLE regress_auditspine_fixed;
SELECT chain FROM verify_chain();
SELECT attempt('SELECT verify_all()');
RESET ROLE;
-- What an auditor of all chains was granted is taken from one who is kept to a chain; what an application has of its own stays.
GRANT SELECT, INSERT ON finding TO regress_auditspine_pool;
CREATE SCHEMA app CREATE TABLE item (id integer PRIMARY KEY) CREATE TABLE other (id integer);
SELECT audit_attach('app.item');
GRANT USAGE ON SCHEMA app TO regress_auditspine_pool, regress_auditspine_member;
GRANT SELECT ON app.other TO regress_auditspine_pool;
CREATE FUNCTION rights(auditor regrole) RETURNS TABLE (finding text, item boolean, schema_app boolean, alert boolean) LANGUAGE sql AS $$
    SELECT concat_ws(' ', CASE WHEN has_table_privilege(auditor, 'finding', 'SELECT') THEN 'SELECT' END, CASE WHEN has_table_privilege(auditor, 'finding', 'INSERT') THEN 'INSERT' END),
           has_table_privilege(auditor, 'app.item', 'SELECT'), has_schema_privilege(auditor, 'app', 'USAGE'), has_table_privilege(auditor, 'auditspine.alert', 'SELECT') $$;
SELECT grant_auditor('regress_auditspine_pool', chain_setting => 'app.tenant');
SELECT * FROM rights('regress_auditspine_pool');
SELECT revoke_auditor('regress_auditspine_pool');
SELECT * FROM rights('regress_auditspine_pool');
SELECT grant_auditor('regress_auditspine_member', chain => 't1');
SELECT * FROM rights('regress_auditspine_member');
SELECT grant_auditor('regress_auditspine_member');
SELECT * FROM rights('regress_auditspine_member');
SELECT grant_auditor('regress_auditspine_member', chain => 't1');
SELECT * FROM rights('regress_auditspine_member');
SELECT revoke_auditor('regress_auditspine_member');
SELECT * FROM rights('regress_auditspine_member');
-- An application writes; what would let it change what was recorded is told nevertheless.
GRANT TRUNCATE ON finding TO regress_auditspine_pool;
GRANT INSERT ON auditspine.alert TO regress_auditspine_pool;
SELECT grant_auditor('regress_auditspine_pool', chain_setting => 'app.tenant');
SELECT grant_auditor('regress_auditspine_pool', chain => 't1');
REVOKE ALL ON finding, app.other, auditspine.alert FROM regress_auditspine_pool;
SELECT revoke_auditor('regress_auditspine_fixed'), revoke_auditor('regress_auditspine_pool'), revoke_auditor('regress_auditspine_full');
SELECT count(*) FROM pg_shdepend WHERE refobjid IN ('regress_auditspine_fixed'::regrole, 'regress_auditspine_pool'::regrole, 'regress_auditspine_full'::regrole)
    AND deptype <> 'o';
SELECT role_name FROM auditspine.auditor ORDER BY 1;
SET ROLE regress_auditspine_fixed;
SELECT attempt('SELECT verify_chain()');
RESET ROLE;

DROP SCHEMA app CASCADE;
DROP OWNED BY regress_auditspine_reader, regress_auditspine_plain, regress_auditspine_fixed;
DROP ROLE regress_auditspine_full, regress_auditspine_reader, regress_auditspine_pool, regress_auditspine_fixed,
    regress_auditspine_plain, regress_auditspine_member, regress_auditspine_bypass;
