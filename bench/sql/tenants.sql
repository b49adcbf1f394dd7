-- Blueprint zerotrace with 1,000 companies: an agent and 20 findings each. The setting bench.audited = off takes the
-- audit away before they come.
DROP SCHEMA IF EXISTS zerotrace CASCADE;
SELECT install_blueprint('zerotrace') \g /dev/null
SELECT count(audit_detach(table_name)) FROM auditspine.audited_table
WHERE current_setting('bench.audited', true) = 'off' \g /dev/null

DROP ROLE IF EXISTS bench_zerotrace;
CREATE ROLE bench_zerotrace;
SELECT zerotrace.grant_application('bench_zerotrace') \g /dev/null

CREATE FUNCTION company(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.md5('company ' || n)::pg_catalog.uuid $$;

INSERT INTO zerotrace.agents (company_id, id, name, agent_type, version)
SELECT company(n), company(n), 'scanner', 'network', '1.0' FROM generate_series(1, 1000) AS n;

-- Findings first to last, of one company after the other.
CREATE PROCEDURE report(first bigint, last bigint) LANGUAGE sql
    AS $$
    INSERT INTO zerotrace.network_findings (company_id, id, agent_id, title, description, severity, category, risk_score,
                                            finding_type, host, port, protocol, service)
    SELECT bench.company(1 + n % 1000), md5(1 + n % 1000 || ' ' || n / 1000)::uuid, bench.company(1 + n % 1000),
           'Port ' || n % 65536 || ' is open', 'A scan found a service that listens on host ' || n % 200,
           (ARRAY['critical', 'high', 'medium', 'low', 'info'])[1 + n % 5], 'exposure', n % 101 / 10.0,
           'open_port', 'host-' || n % 200, 1 + n % 65535, 'tcp', 'service-' || n % 30
    FROM generate_series(first, last) AS n
    $$;
CALL report(0, 19999);
VACUUM (ANALYZE);
