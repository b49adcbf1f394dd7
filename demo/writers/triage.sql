-- A person at work: several changes in one transaction, one of them taken back.
\set base random(1, 1000)
BEGIN;
INSERT INTO vuln.finding (advisory_id, component)
SELECT advisory_id, 'batch-' || :client_id FROM vuln.advisory_raw ORDER BY advisory_id OFFSET :base LIMIT 10;
UPDATE vuln.finding SET status = 'triaged'
WHERE finding_id IN (SELECT finding_id FROM vuln.finding WHERE status = 'open'
                     ORDER BY finding_id LIMIT 3 FOR UPDATE SKIP LOCKED);
SAVEPOINT doubt;
INSERT INTO vuln.finding (advisory_id, component) VALUES ('never', 'recorded');
ROLLBACK TO SAVEPOINT doubt;
DELETE FROM vuln.finding
WHERE finding_id IN (SELECT finding_id FROM vuln.finding WHERE status = 'triaged'
                     ORDER BY finding_id LIMIT 1 FOR UPDATE SKIP LOCKED);
COMMIT;
