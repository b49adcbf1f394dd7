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

INSERT INTO zerotrace.agents (company_id, id, hostname, os, os_version)
SELECT company(n), company(n), 'scanner', 'Debian', '12' FROM generate_series(1, 1000) AS n;

-- Findings first to last, of one company after the other.
CREATE PROCEDURE report(first bigint, last bigint) LANGUAGE sql
    AS $$
    INSERT INTO zerotrace.network_findings (company_id, id, agent_id, host, port, protocol, service_name, service_version,
                                            banner, vulnerability_count)
    SELECT bench.company(1 + n % 1000), md5(1 + n % 1000 || ' ' || n / 1000)::uuid, bench.company(1 + n % 1000),
           'host-' || n % 200, 1 + n % 65535, 'tcp', 'service-' || n % 30, '1.' || n % 10,
           'A scan found a service that listens on host ' || n % 200, n % 5
    FROM generate_series(first, last) AS n
    $$;
CALL report(0, 19999);
VACUUM (ANALYZE);
