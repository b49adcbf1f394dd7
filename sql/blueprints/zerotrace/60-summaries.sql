-- What a company's findings come to, in one row each. The views speak of the session's company, whoever asks: also to
-- those whom row-level security does not bind, and where a view acts with its owner's rights.

CREATE VIEW @schema@.vulnerability_summary_v2 AS
SELECT company_id,
       count(*) AS total,
       count(*) FILTER (WHERE severity = 'critical') AS critical,
       count(*) FILTER (WHERE severity = 'high') AS high,
       count(*) FILTER (WHERE severity = 'medium') AS medium,
       count(*) FILTER (WHERE severity = 'low') AS low,
       count(*) FILTER (WHERE severity = 'info') AS info,
       count(*) FILTER (WHERE status IN ('open', 'in_progress')) AS open,
       count(*) FILTER (WHERE status = 'resolved') AS resolved,
       count(*) FILTER (WHERE status IN ('open', 'in_progress') AND exploit_available) AS open_exploitable,
       count(*) FILTER (WHERE status IN ('open', 'in_progress') AND fixed_version IS NOT NULL) AS open_fixable,
       count(DISTINCT cve_id) AS cves,
       count(DISTINCT package_name) AS packages,
       round(avg(cvss), 2) AS mean_cvss,
       max(risk_score) FILTER (WHERE status IN ('open', 'in_progress')) AS max_open_risk,
       min(detected_at) FILTER (WHERE status IN ('open', 'in_progress')) AS oldest_open
FROM @schema@.vulnerabilities_v2
WHERE company_id = (SELECT @schema@.current_company_id())
GROUP BY company_id;
COMMENT ON VIEW @schema@.vulnerability_summary_v2 IS 'vulnerabilities of the session''s company';
COMMENT ON COLUMN @schema@.vulnerability_summary_v2.open IS 'open or in_progress';
COMMENT ON COLUMN @schema@.vulnerability_summary_v2.open_exploitable IS 'of these, those with a public exploit';
COMMENT ON COLUMN @schema@.vulnerability_summary_v2.open_fixable IS 'of these, those that a newer version fixes';
COMMENT ON COLUMN @schema@.vulnerability_summary_v2.cves IS 'how many different ones';

CREATE VIEW @schema@.compliance_summary AS
SELECT company_id,
       framework,
       count(*) AS checks,
       count(*) FILTER (WHERE status = 'pass') AS pass,
       count(*) FILTER (WHERE status = 'fail') AS fail,
       count(*) FILTER (WHERE status NOT IN ('pass', 'fail')) AS other,
       round(100.0 * count(*) FILTER (WHERE status = 'pass')
             / nullif(count(*) FILTER (WHERE status IN ('pass', 'fail')), 0), 2) AS score,
       count(*) FILTER (WHERE status = 'fail' AND severity IN ('critical', 'high')) AS severe_fail,
       count(DISTINCT control_id) AS controls,
       max(detected_at) AS last_check
FROM @schema@.compliance_checks
WHERE company_id = (SELECT @schema@.current_company_id())
GROUP BY company_id, framework;
COMMENT ON VIEW @schema@.compliance_summary IS 'compliance of the session''s company, by framework';
COMMENT ON COLUMN @schema@.compliance_summary.other IS 'checks that neither passed nor failed';
COMMENT ON COLUMN @schema@.compliance_summary.score IS 'pass / (pass + fail) in percent; null if no check did either';
COMMENT ON COLUMN @schema@.compliance_summary.severe_fail IS 'failed checks of severity critical or high';
COMMENT ON COLUMN @schema@.compliance_summary.controls IS 'how many different ones were checked';

CREATE VIEW @schema@.network_security_summary AS
SELECT company_id,
       count(*) AS total,
       count(*) FILTER (WHERE severity = 'critical') AS critical,
       count(*) FILTER (WHERE severity = 'high') AS high,
       count(*) FILTER (WHERE severity = 'medium') AS medium,
       count(*) FILTER (WHERE severity = 'low') AS low,
       count(*) FILTER (WHERE severity = 'info') AS info,
       count(*) FILTER (WHERE status IN ('open', 'in_progress')) AS open,
       count(*) FILTER (WHERE status = 'resolved') AS resolved,
       count(DISTINCT host) FILTER (WHERE status IN ('open', 'in_progress')) AS open_hosts,
       count(DISTINCT (host, protocol, port)) FILTER (WHERE status IN ('open', 'in_progress') AND port IS NOT NULL)
           AS open_ports,
       count(*) FILTER (WHERE status IN ('open', 'in_progress') AND internet_facing) AS open_internet_facing,
       count(*) FILTER (WHERE status IN ('open', 'in_progress') AND NOT encrypted) AS open_unencrypted,
       round(avg(risk_score) FILTER (WHERE status IN ('open', 'in_progress')), 2) AS mean_open_risk,
       max(risk_score) FILTER (WHERE status IN ('open', 'in_progress')) AS max_open_risk
FROM @schema@.network_findings
WHERE company_id = (SELECT @schema@.current_company_id())
GROUP BY company_id;
COMMENT ON VIEW @schema@.network_security_summary IS 'network findings of the session''s company';
COMMENT ON COLUMN @schema@.network_security_summary.open IS 'open or in_progress';
COMMENT ON COLUMN @schema@.network_security_summary.open_hosts IS 'different hosts with open findings';
COMMENT ON COLUMN @schema@.network_security_summary.open_ports IS 'different ports of hosts with open findings';
COMMENT ON COLUMN @schema@.network_security_summary.open_unencrypted IS 'open findings on services that are known not to encrypt';

-- A view with its owner's rights would let those who may read it do without rights to its table. PostgreSQL 14 has no
-- others; there the views' own condition is what keeps companies apart.
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
