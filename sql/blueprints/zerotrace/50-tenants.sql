-- What makes the thirteen tables those of many companies: partitions by company, indexes that begin with it, row-level
-- security, and an audit chain for each.

-- The policy's condition is worked out once for a statement, so a query reads one partition, by index. PostgreSQL does
-- not let `search @@ …` go by an index before the policy has had its say, since that operator may tell of rows in its
-- errors: within a company a search looks at the company's rows, and the indexes on search serve those who see all.
DO $$
DECLARE
    findings constant text[] := '{vulnerabilities_v2,system_vulnerabilities,network_findings,container_findings,
        auth_findings,database_findings,api_findings,ai_ml_findings,compliance_checks,privacy_findings,iot_ot_findings,
        web3_findings}';
    name text;
    part text;
BEGIN
    FOREACH name IN ARRAY array_prepend('agents', findings) LOOP
        FOR number IN 0..3 LOOP
            EXECUTE format('CREATE TABLE @schema@.%I PARTITION OF @schema@.%I
                                FOR VALUES WITH (MODULUS 4, REMAINDER %s)', name || '_p' || number, name, number);
        END LOOP;
        -- Partitions too: whoever has a right to one, as by GRANT ON ALL TABLES, must not see all companies by it.
        FOR part IN SELECT relid::regclass FROM pg_partition_tree(format('@schema@.%I', name)::regclass) LOOP
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
            EXECUTE format('CREATE POLICY company ON %s
                                USING (company_id = (SELECT @schema@.current_company_id()))
                                WITH CHECK (company_id = (SELECT @schema@.current_company_id()))', part);
            EXECUTE format('CREATE TRIGGER require_company BEFORE INSERT ON %s
                                FOR EACH STATEMENT EXECUTE FUNCTION @schema@.require_company()', part);
        END LOOP;
        EXECUTE format('CREATE TRIGGER keep_updated_at BEFORE UPDATE ON @schema@.%I
                            FOR EACH ROW EXECUTE FUNCTION @schema@.%I()', name,
                       CASE name WHEN 'agents' THEN 'keep_agent_updated_at' ELSE 'keep_updated_at' END);
    END LOOP;
    CREATE INDEX agents_status_idx ON @schema@.agents (company_id, status);
    FOREACH name IN ARRAY findings LOOP
        EXECUTE format('ALTER TABLE @schema@.%1$I ADD CONSTRAINT %2$I
                            FOREIGN KEY (company_id, agent_id) REFERENCES @schema@.agents (company_id, id)',
                       name, name || '_agent_fkey');
        EXECUTE format('CREATE INDEX %2$I ON @schema@.%1$I (company_id, severity)', name, name || '_severity_idx');
        EXECUTE format('CREATE INDEX %2$I ON @schema@.%1$I (company_id, category)', name, name || '_category_idx');
        EXECUTE format('CREATE INDEX %2$I ON @schema@.%1$I (company_id, status)', name, name || '_status_idx');
        EXECUTE format('CREATE INDEX %2$I ON @schema@.%1$I (company_id, detected_at)', name, name || '_detected_idx');
        EXECUTE format('CREATE INDEX %2$I ON @schema@.%1$I (company_id, agent_id)', name, name || '_agent_idx');
        EXECUTE format('CREATE INDEX %2$I ON @schema@.%1$I USING gin (search)', name, name || '_search_idx');
        EXECUTE format('COMMENT ON COLUMN @schema@.%I.risk_score IS %L', name, 'from 0.0, none, to 10.0');
        EXECUTE format('COMMENT ON COLUMN @schema@.%I.agent_id IS %L', name, 'the scanner that found it, if one did');
        EXECUTE format('COMMENT ON COLUMN @schema@.%I.search IS %L', name,
                       'words of title and description, which are audited: so this is not');
    END LOOP;
END $$;

-- One chain for each company, made at its first row and named by the uuid's text. A scanner that reports once more what
-- it has reported already is no event, nor is an agent's sign of life.
SELECT @verbs@.audit_attach('@schema@.agents', kind => '@schema@.agents', chain_by => '{company_id}',
                            exclude => '{last_seen_at}', skip_unchanged => true);
SELECT @verbs@.audit_attach(format('@schema@.%I', name)::regclass, kind => '@schema@.' || name,
                            chain_by => '{company_id}', exclude => '{search}', skip_unchanged => true)
FROM unnest('{vulnerabilities_v2,system_vulnerabilities,network_findings,container_findings,auth_findings,
              database_findings,api_findings,ai_ml_findings,compliance_checks,privacy_findings,iot_ot_findings,
              web3_findings}'::text[]) AS name;
