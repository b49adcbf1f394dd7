-- A scanner: each finding in a transaction of its own.
INSERT INTO vuln.finding (advisory_id, component)
SELECT advisory_id, 'service-' || :client_id FROM vuln.advisory_raw ORDER BY advisory_id OFFSET :client_id LIMIT 1;
