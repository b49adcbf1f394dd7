-- Names in views and function bodies are qualified, operators included. Whatever could have been chosen from among
-- objects that others had put into the schema of the extension is made anew.

-- @replace attach.sql VIEW auditspine.audited_table
-- @replace blueprints.sql VIEW auditspine.blueprint
-- @replace history.sql FUNCTION auditspine.removals

COMMENT ON FUNCTION auditspine.removals(text) IS
    'entries that removed rows of a kind without naming them: TRUNCATE, and partitions that were detached or dropped';

-- What else than ALTER TABLE renames and drops columns, and drops partitions.
DROP EVENT TRIGGER auditspine_ddl;
-- @include attach.sql EVENT TRIGGER auditspine_ddl
-- @include attach.sql FUNCTION auditspine.on_dropped
-- @include attach.sql EVENT TRIGGER auditspine_dropped

-- For functions that take any types, one that takes these was a better match.
ALTER TABLE auditspine.auditor
    DROP CONSTRAINT auditor_check,
    ADD CONSTRAINT auditor_check CHECK (pg_catalog.num_nulls(chain, chain_setting) OPERATOR(pg_catalog.>) 0);

-- State that is held against the chain: runs, alerts, publications, auditors.

-- @include routine.sql TABLE auditspine.open_break

COMMENT ON COLUMN auditspine.alert.evidence IS 'expected and found hash, neighbours, place in the chain; nothing of what rows contain';
COMMENT ON COLUMN auditspine.alert.occurrence IS 'above 1 if a full verification in between did not find it';

-- Until now a break was known until everything was found in order.
INSERT INTO auditspine.open_break (break_digest, verification_id)
SELECT a.break_digest, pg_catalog.max(a.verification_id)
FROM ONLY auditspine.alert AS a
WHERE NOT EXISTS (SELECT FROM ONLY auditspine.verification AS v
                  WHERE v.ok AND v.scope OPERATOR(pg_catalog.=) 'full' AND v.started_at OPERATOR(pg_catalog.>) a.raised_at)
GROUP BY a.break_digest;

-- Tenants' chains and operators' chains; who holds the audit's locks.

-- Whoever holds a lane keeps this from going on: what is locked for a chain depends on whose it is.
LOCK TABLE auditspine.audit_chain, auditspine.chain IN ACCESS EXCLUSIVE MODE;

-- A dump of an earlier version has rows without these columns.
ALTER TABLE auditspine.chain
    ADD COLUMN tenant text COLLATE "C" CONSTRAINT chain_tenant_key UNIQUE,
    ADD COLUMN origin text COLLATE "C" NOT NULL DEFAULT 'unknown',
    ADD CONSTRAINT chain_origin_check CHECK (
        origin OPERATOR(pg_catalog.=) ANY ('{operator,tenant,unknown}'::text[])
        AND (origin OPERATOR(pg_catalog.=) 'tenant') OPERATOR(pg_catalog.=) (tenant IS NOT NULL));
COMMENT ON COLUMN auditspine.chain.tenant IS 'whose chain it is: the value of the columns that chain_by names';
COMMENT ON COLUMN auditspine.chain.origin IS
    'operator: chain main, or made by create_chain(); tenant: made at a tenant''s first event; unknown: by an earlier version, see settle_chains()';

-- The ends of lanes are shared between sessions from here on.

-- @include schema.sql FUNCTION auditspine.distrust_heads

-- @include chains.sql FUNCTION auditspine.settle_chains
SELECT pg_catalog.count(*) FROM auditspine.settle_chains();

-- What a setting lets be seen was told by the name of the chain; and chain main could be granted.
DO $policies$
DECLARE
    of_role record;
BEGIN
    FOR of_role IN
        SELECT p.polname FROM pg_catalog.pg_policy AS p
        JOIN pg_catalog.pg_roles AS r ON p.polroles OPERATOR(pg_catalog.=) ARRAY[r.oid]
        JOIN auditspine.auditor AS a ON a.role_name OPERATOR(pg_catalog.=) r.rolname
        WHERE p.polrelid OPERATOR(pg_catalog.=) 'auditspine.chain'::regclass
          AND (a.chain_setting IS NOT NULL OR a.chain OPERATOR(pg_catalog.=) 'main')
    LOOP
        EXECUTE pg_catalog.format('DROP POLICY %I ON auditspine.chain', of_role.polname);
    END LOOP;
    -- Its trigger makes those that are missing.
    UPDATE auditspine.auditor SET role_name = role_name WHERE false;
END
$policies$;

COMMENT ON COLUMN auditspine.auditor.chain_setting IS
    'the setting that names the one tenant whose chain it sees; without both, the role sees all';

-- @include attach.sql FUNCTION @extschema@.audit_rebaseline

-- @include erase.sql

-- Histories are read through sorted runs, which no commit keeps up; the first run of verify_all() makes them.
DROP INDEX IF EXISTS auditspine.audit_chain_event_idx;
-- @include schema.sql INDEX audit_chain_system_idx
-- @include history.sql TABLE auditspine.history_run
-- @include history.sql TABLE auditspine.history_page
-- @include history.sql TABLE auditspine.history_head
-- @include history.sql TABLE auditspine.history_fill
-- @include history.sql FUNCTION auditspine.places_of
-- @include history.sql FUNCTION @extschema@.index_history

-- @include chains.sql VIEW auditspine.lock
-- @include findings.sql
-- @include guards.sql
