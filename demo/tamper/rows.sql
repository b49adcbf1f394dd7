-- A superuser changes rows of an audited table with its trigger off, and puts the trigger back.
SELECT finding_id AS edited FROM vuln.finding ORDER BY finding_id OFFSET 10 LIMIT 1 \gset
SELECT finding_id AS deleted FROM vuln.finding ORDER BY finding_id OFFSET 20 LIMIT 1 \gset
ALTER TABLE vuln.finding DISABLE TRIGGER auditspine_audit;
UPDATE vuln.finding SET status = 'not_affected' WHERE finding_id = :edited;
DELETE FROM vuln.finding WHERE finding_id = :deleted;
INSERT INTO vuln.finding (advisory_id, component) VALUES ('planted', 'service-0') RETURNING finding_id AS planted \gset
ALTER TABLE vuln.finding ENABLE ALWAYS TRIGGER auditspine_audit;

\echo The chain is intact, since nothing was done to it:
SELECT chain, ok, findings FROM verify_chain();
\echo 'verify_table:'
SELECT ok, rows, edited, deleted, unrecorded, unverifiable FROM verify_table('vuln.finding');
\echo 'verify_table_findings:'
SELECT finding, key, seq, recorded ->> 'status' AS recorded_status, current ->> 'status' AS current_status, detail
FROM verify_table_findings('vuln.finding') ORDER BY finding;
\echo As a routine: verify_all() raises one alert for each.
SELECT layer, subject, ok, findings FROM verify_all() WHERE NOT ok;
SELECT kind, severity, finding, seq, pk FROM auditspine.alert ORDER BY finding;

SELECT array_agg(finding || ' ' || key ORDER BY finding)
       IS DISTINCT FROM ARRAY['row_deleted ' || :deleted, 'row_edited ' || :edited, 'row_unrecorded ' || :planted]
       OR (SELECT count(*) FROM auditspine.alert) <> 3 AS missed
FROM verify_table_findings('vuln.finding') \gset
\if :missed
    DO $$ BEGIN RAISE EXCEPTION 'the findings are not the three changes that were made'; END $$;
\endif
