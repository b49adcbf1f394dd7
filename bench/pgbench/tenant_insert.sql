\set n random(1, 1000)
\set port random(1, 65535)
BEGIN;
SELECT zerotrace.set_company_context(md5('company ' || :n::int)::uuid, true);
INSERT INTO zerotrace.network_findings (agent_id, title, description, severity, category, risk_score, finding_type, host, port, protocol, service)
VALUES (zerotrace.current_company_id(), 'Port ' || :port::int || ' is open', 'A scan found a service that listens there', 'high', 'exposure', 7.5, 'open_port', 'host-' || :n::int, :port::int, 'tcp', 'unknown');
COMMIT;
