-- Effective findings: one table for each policy, with all its versions beside it.

CREATE FUNCTION @policy@.effective_finding_version() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    history constant text := format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME || '_history');
    columns constant text := 'component_purl, vulnerability_id, status, severity, action, exception_id, run_id, updated_at';
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('INSERT INTO %s (op, %s) SELECT ''D'', %2$s FROM %I.%I', history, columns, TG_TABLE_SCHEMA, TG_TABLE_NAME);
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE format('INSERT INTO %s (op, %s) SELECT ''D'', ($1).*', history, columns) USING OLD;
    ELSE
        EXECUTE format('INSERT INTO %s (op, %s) SELECT $1, ($2).*', history, columns) USING left(TG_OP, 1), NEW;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION @policy@.effective_finding_version() IS 'trigger: writes each version of a finding to the history beside its table';

CREATE FUNCTION @policy@.create_effective_finding(policy_id uuid) RETURNS regclass
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    finding   text := 'effective_finding_' || policy_id::text;
    history   text := finding || '_history';
    there     text[];
BEGIN
    IF policy_id IS NULL THEN
        RAISE EXCEPTION 'no policy is named' USING ERRCODE = 'null_value_not_allowed', HINT = 'pass a policy_id of @policy@.policies';
    END IF;
    -- Looked at twice: those who find the tables wait for nobody; of those who do not, one makes them.
    FOR attempt IN 1..2 LOOP
        SELECT array_agg(c.relname::text ORDER BY c.relname) INTO there
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = '@policy@' AND c.relname IN (finding, history);
        IF cardinality(there) = 1 THEN
            RAISE EXCEPTION 'of the tables of policy %, only % is there', policy_id, there[1]
                USING ERRCODE = 'duplicate_table', HINT = 'rename it, then create both';
        ELSIF cardinality(there) = 2 THEN
            RAISE NOTICE 'policy % has its tables of findings already', policy_id;
            RETURN format('@policy@.%I', finding)::regclass;
        END IF;
        PERFORM FROM @policy@.policies AS p WHERE p.policy_id = create_effective_finding.policy_id FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no policy "%"', policy_id
                USING ERRCODE = 'undefined_object', HINT = 'insert it into @policy@.policies first';
        END IF;
    END LOOP;

    EXECUTE format($ddl$
        CREATE TABLE @policy@.%1$I (
            component_purl   text COLLATE "C" NOT NULL,
            vulnerability_id varchar(100) COLLATE "C" NOT NULL,
            status           text NOT NULL CHECK (status IN ('not_affected', 'affected', 'fixed', 'under_investigation')),
            severity         text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'none', 'unknown')),
            action           text NOT NULL CHECK (action IN ('block', 'warn', 'pass')),
            exception_id     uuid REFERENCES @policy@.exceptions,
            run_id           uuid NOT NULL REFERENCES @policy@.policy_runs,
            updated_at       timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (component_purl, vulnerability_id)
        )$ddl$, finding);
    EXECUTE format($ddl$
        CREATE TABLE @policy@.%1$I (
            version_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            op               text NOT NULL CHECK (op IN ('I', 'U', 'D')),
            changed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
            changed_by       text NOT NULL DEFAULT session_user,
            LIKE @policy@.%2$I
        )$ddl$, history, finding);
    -- Its name is PostgreSQL's to choose: ours would be too long.
    EXECUTE format('CREATE INDEX ON @policy@.%I (component_purl, vulnerability_id, version_id)', history);
    EXECUTE format('CREATE TRIGGER finding_version AFTER INSERT OR DELETE ON @policy@.%I
                    FOR EACH ROW EXECUTE FUNCTION @policy@.effective_finding_version()', finding);
    EXECUTE format('CREATE TRIGGER finding_version_changed AFTER UPDATE ON @policy@.%I
                    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION @policy@.effective_finding_version()', finding);
    EXECUTE format('CREATE TRIGGER finding_version_truncate BEFORE TRUNCATE ON @policy@.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION @policy@.effective_finding_version()', finding);

    EXECUTE format('COMMENT ON TABLE @policy@.%I IS %L', finding, 'findings of policy ' || policy_id::text || ' that count now');
    EXECUTE format('COMMENT ON COLUMN @policy@.%I.status IS %L', finding, 'VEX status: not_affected, affected, fixed or under_investigation');
    EXECUTE format('COMMENT ON COLUMN @policy@.%I.severity IS %L', finding, 'after exceptions: critical, high, medium, low, none or unknown');
    EXECUTE format('COMMENT ON COLUMN @policy@.%I.action IS %L', finding, 'what the policy asks for: block, warn or pass');
    EXECUTE format('COMMENT ON COLUMN @policy@.%I.exception_id IS %L', finding, 'the exception that was applied, if any');
    EXECUTE format('COMMENT ON COLUMN @policy@.%I.run_id IS %L', finding, 'the run that found it so');
    EXECUTE format('COMMENT ON TABLE @policy@.%I IS %L', history, 'versions of the findings of policy ' || policy_id::text || '; written by triggers, append-only');
    EXECUTE format('COMMENT ON COLUMN @policy@.%I.op IS %L', history, 'I: came, U: changed, D: went; the columns behind are those of that version, with D of the last one');

    PERFORM @verbs@.audit_attach(format('@policy@.%I', finding)::regclass, '@policy@.' || finding, 'main'::text, NULL::text[], NULL::text[],
                                 'full'::text, '{}'::text[], false, false, false);
    PERFORM @verbs@.audit_attach(format('@policy@.%I', history)::regclass, '@policy@.' || history, 'main'::text, NULL::text[], NULL::text[],
                                 'hash'::text, '{}'::text[], true, false, false);
    RETURN format('@policy@.%I', finding)::regclass;
END $$;
COMMENT ON FUNCTION @policy@.create_effective_finding(uuid) IS
    'makes effective_finding_<policy_id> and effective_finding_<policy_id>_history, audited; answers the first, also if they are there already. To be called before the transaction that writes runs, since the tables'' foreign keys lock policy_runs';

SELECT @authority@.record_migration('@policy@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@policy@'));
