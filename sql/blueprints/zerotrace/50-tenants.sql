-- What makes the tables those of many companies: partitions by company, indexes, row-level security, and an audit chain
-- for each company.
--
-- Applications know a table by two names: vulnerabilities_v2, and vulnerabilities_v2_partitioned, which the indexes and
-- the policy are of. Both must take the same rows. So the second is the one partition of the first, and is partitioned
-- itself: rows written under either name are there under both.

-- The policy's condition is worked out once for a statement, so a query reads one partition, by index. PostgreSQL does
-- not let `search @@ …` go by an index before the policy has had its say, since that operator may tell of rows in its
-- errors: within a company a search looks at the company's rows, and the indexes for it serve those who see all.
DO $$
DECLARE
    name text;
    part text;
BEGIN
    FOREACH name IN ARRAY '{vulnerabilities_v2,system_vulnerabilities,network_findings,container_findings,
            auth_findings,database_findings,api_findings,ai_ml_findings,compliance_checks,privacy_findings,
            iot_ot_findings,web3_findings}'::text[] LOOP
        EXECUTE format('CREATE TABLE @schema@.%I PARTITION OF @schema@.%I
                            FOR VALUES WITH (MODULUS 1, REMAINDER 0) PARTITION BY HASH (company_id)',
                       name || '_partitioned', name);
        EXECUTE format('COMMENT ON TABLE @schema@.%I IS %L', name || '_partitioned', 'all rows of ' || name);
        FOR number IN 0..3 LOOP
            EXECUTE format('CREATE TABLE @schema@.%I PARTITION OF @schema@.%I
                                FOR VALUES WITH (MODULUS 4, REMAINDER %s)',
                           name || '_partition_' || number, name || '_partitioned', number);
        END LOOP;
        -- Partitions too: whoever has a right to one, as by GRANT ON ALL TABLES, must not see all companies by it.
        FOR part IN SELECT relid::regclass FROM pg_partition_tree(format('@schema@.%I', name)::regclass) LOOP
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
            EXECUTE format('CREATE POLICY %I ON %s
                                USING (company_id = (SELECT @schema@.current_company_id()))
                                WITH CHECK (company_id = (SELECT @schema@.current_company_id()))',
                           name || '_isolation', part);
            EXECUTE format('CREATE TRIGGER require_company BEFORE INSERT ON %s
                                FOR EACH STATEMENT EXECUTE FUNCTION @schema@.require_company()', part);
        END LOOP;
        EXECUTE format('CREATE TRIGGER keep_updated_at BEFORE UPDATE ON @schema@.%I
                            FOR EACH ROW EXECUTE FUNCTION @schema@.keep_updated_at()', name);
        EXECUTE format('CREATE INDEX %I ON @schema@.%I (agent_id)',
                       'idx_' || name || '_agent_id', name || '_partitioned');
        EXECUTE format('CREATE INDEX %I ON @schema@.%I (company_id, severity)',
                       'idx_' || name || '_company_severity', name || '_partitioned');
        EXECUTE format('CREATE INDEX %I ON @schema@.%I (company_id, status)',
                       'idx_' || name || '_company_status', name || '_partitioned');
        IF name <> 'vulnerabilities_v2' THEN
            EXECUTE format('CREATE INDEX %I ON @schema@.%I (company_id, created_at)',
                           'idx_' || name || '_company_created_at', name || '_partitioned');
            EXECUTE format('CREATE INDEX %I ON @schema@.%I USING gin (search)',
                           'idx_' || name || '_search', name || '_partitioned');
        END IF;
        EXECUTE format('COMMENT ON COLUMN @schema@.%I.agent_id IS %L', name, 'the scanner that found it');
        EXECUTE format('COMMENT ON COLUMN @schema@.%I.risk_score IS %L', name, 'from 0, none, to 10');
        EXECUTE format('COMMENT ON COLUMN @schema@.%I.search IS %L', name,
                       'words of other columns, which are audited: so this is not');
    END LOOP;
END $$;

-- The expression is the one that applications search by: an index serves no other.
CREATE INDEX idx_vulnerabilities_v2_company_id ON @schema@.vulnerabilities_v2_partitioned (company_id);
CREATE INDEX idx_vulnerabilities_v2_severity ON @schema@.vulnerabilities_v2_partitioned (severity);
CREATE INDEX idx_vulnerabilities_v2_category ON @schema@.vulnerabilities_v2_partitioned (category);
CREATE INDEX idx_vulnerabilities_v2_status ON @schema@.vulnerabilities_v2_partitioned (status);
CREATE INDEX idx_vulnerabilities_v2_risk_score ON @schema@.vulnerabilities_v2_partitioned (risk_score);
CREATE INDEX idx_vulnerabilities_v2_discovered_at ON @schema@.vulnerabilities_v2_partitioned (discovered_at);
CREATE INDEX idx_vulnerabilities_v2_company_category
    ON @schema@.vulnerabilities_v2_partitioned (company_id, category);
CREATE INDEX idx_vulnerabilities_v2_search ON @schema@.vulnerabilities_v2_partitioned
    USING gin (to_tsvector('english', title || ' ' || coalesce(description, '')));
CREATE INDEX idx_network_findings_scan_id ON @schema@.network_findings_partitioned (scan_id);
CREATE INDEX idx_compliance_checks_company_framework ON @schema@.compliance_checks_partitioned (company_id, framework);

ALTER TABLE @schema@.agents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY agents_isolation ON @schema@.agents
    USING (company_id = (SELECT @schema@.current_company_id()))
    WITH CHECK (company_id = (SELECT @schema@.current_company_id()));
-- Those of the operator are read by all that work for a company, and written by none of them.
CREATE POLICY agents_of_operator ON @schema@.agents FOR SELECT
    USING (company_id = '00000000-0000-0000-0000-000000000000'
           AND (SELECT @schema@.current_company_id()) IS NOT NULL);
CREATE TRIGGER require_company BEFORE INSERT ON @schema@.agents
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.require_company();
CREATE TRIGGER keep_updated_at BEFORE UPDATE ON @schema@.agents
    FOR EACH ROW EXECUTE FUNCTION @schema@.keep_agent_updated_at();
CREATE INDEX idx_agents_company_status ON @schema@.agents (company_id, status);

-- One chain for each company, made at its first row and named by the uuid's text. A scanner that reports once more what
-- it has reported already is no event, nor is an agent's sign of life.
SELECT @verbs@.audit_attach('@schema@.agents', kind => '@schema@.agents', chain_by => '{company_id}',
                            exclude => '{last_seen}', skip_unchanged => true);
SELECT @verbs@.audit_attach(format('@schema@.%I', name)::regclass, kind => '@schema@.' || name,
                            chain_by => '{company_id}', exclude => '{search}', skip_unchanged => true)
FROM unnest('{vulnerabilities_v2,system_vulnerabilities,network_findings,container_findings,auth_findings,
              database_findings,api_findings,ai_ml_findings,compliance_checks,privacy_findings,iot_ot_findings,
              web3_findings}'::text[]) AS name;
