\set n random(1, 1000)
\set port random(1, 65535)
BEGIN;
SELECT zerotrace.set_company_context(md5('company ' || :n::int)::uuid, true);
INSERT INTO zerotrace.network_findings (agent_id, host, port, protocol, service_name, service_version, banner, vulnerability_count)
VALUES (zerotrace.current_company_id(), 'host-' || :n::int, :port::int, 'tcp', 'unknown', '1.0', 'A scan found a service that listens there', 1);
COMMIT;
