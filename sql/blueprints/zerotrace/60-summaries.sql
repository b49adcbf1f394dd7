-- What a company's findings come to. Whom row-level security binds sees what is of the session's company, and whom it
-- does not bind sees each company.

-- The condition says once more what the policies say: it is for PostgreSQL 14, where a view reads with its owner's
-- rights, and that may be a superuser.
CREATE VIEW @schema@.vulnerability_summary_v2 AS
SELECT v.id,
       v.agent_id,
       v.company_id,
       v.title,
       v.severity,
       v.category,
       v.status,
       v.risk_score,
       v.discovered_at,
       v.last_seen,
       CASE WHEN a.id IS NULL THEN o.hostname ELSE a.hostname END AS hostname,
       CASE WHEN a.id IS NULL THEN o.os ELSE a.os END AS os,
       CASE WHEN a.id IS NULL THEN o.os_version ELSE a.os_version END AS os_version
FROM @schema@.vulnerabilities_v2_partitioned AS v
LEFT JOIN @schema@.agents AS a ON a.company_id = v.company_id AND a.id = v.agent_id
LEFT JOIN @schema@.agents AS o ON o.company_id = '00000000-0000-0000-0000-000000000000' AND o.id = v.agent_id
WHERE v.company_id = (SELECT @schema@.current_company_id())
   OR NOT (SELECT row_security_active('@schema@.vulnerabilities_v2_partitioned'::regclass));
COMMENT ON VIEW @schema@.vulnerability_summary_v2 IS 'each vulnerability, with the host of the agent that found it';

CREATE VIEW @schema@.compliance_summary AS
SELECT c.company_id,
       c.framework,
       count(*) AS total_checks,
       count(*) FILTER (WHERE c.status = 'pass') AS passed_checks,
       count(*) FILTER (WHERE c.status = 'fail') AS failed_checks,
       count(*) FILTER (WHERE c.status = 'not_applicable') AS not_applicable_checks,
       round(100.0 * count(*) FILTER (WHERE c.status = 'pass')
             / nullif(count(*) FILTER (WHERE c.status IN ('pass', 'fail')), 0), 2) AS compliance_score
FROM @schema@.compliance_checks_partitioned AS c
WHERE c.company_id = (SELECT @schema@.current_company_id())
   OR NOT (SELECT row_security_active('@schema@.compliance_checks_partitioned'::regclass))
GROUP BY c.company_id, c.framework;
COMMENT ON VIEW @schema@.compliance_summary IS 'compliance of a company, by framework';
COMMENT ON COLUMN @schema@.compliance_summary.total_checks IS 'all checks, those that ended in an error among them';
COMMENT ON COLUMN @schema@.compliance_summary.compliance_score IS
    'passed / (passed + failed) in percent; null if no check did either';

CREATE VIEW @schema@.network_security_summary AS
SELECT n.company_id,
       n.agent_id,
       count(*) AS total_findings,
       count(*) FILTER (WHERE NOT n.ssl_enabled) AS non_ssl_services,
       count(*) FILTER (WHERE n.vulnerability_count > 0) AS vulnerable_services,
       count(DISTINCT n.host) AS unique_hosts,
       count(DISTINCT n.port) AS unique_ports
FROM @schema@.network_findings_partitioned AS n
WHERE n.company_id = (SELECT @schema@.current_company_id())
   OR NOT (SELECT row_security_active('@schema@.network_findings_partitioned'::regclass))
GROUP BY n.company_id, n.agent_id;
COMMENT ON VIEW @schema@.network_security_summary IS 'services of a company''s networks, by the agent that found them';
COMMENT ON COLUMN @schema@.network_security_summary.non_ssl_services IS 'those that are known to speak without TLS';

-- A view with its owner's rights would let those who may read it do without rights to its table. PostgreSQL 14 has no
-- others.
DO $$
DECLARE
    name text;
BEGIN
    IF current_setting('server_version_num')::integer >= 150000 THEN
        FOREACH name IN ARRAY '{vulnerability_summary_v2,compliance_summary,network_security_summary}'::text[] LOOP
            EXECUTE format('ALTER VIEW @schema@.%I SET (security_invoker = true)', name);
        END LOOP;
    END IF;
END $$;
