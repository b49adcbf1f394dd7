-- The newest entries of lane 0 are removed, and the rows that they told of put back as they were: nothing inside the
-- database says that there was more.
ALTER TABLE auditspine.audit_chain DISABLE TRIGGER USER;
DELETE FROM auditspine.audit_chain
WHERE chain_id = 1 AND lane = 0 AND pos > (SELECT max(pos) - 5 FROM auditspine.audit_chain WHERE chain_id = 1 AND lane = 0);
ALTER TABLE auditspine.audit_chain ENABLE TRIGGER USER;

\echo No link is broken:
SELECT chain, ok, findings FROM verify_chain();
\echo But the file knows better. publication_file_findings():
SELECT chain, lane, pos, seq, finding, detail FROM publication_file_findings(:'heads');

SELECT (SELECT bool_and(ok) FROM verify_chain()) AND (SELECT NOT ok FROM verify_publication_file(:'heads'))
       AND (SELECT array_agg(finding || ' ' || lane) = ARRAY['head_truncated 0'] FROM publication_file_findings(:'heads')) AS found \gset
\if :found
\else
    DO $$ BEGIN RAISE EXCEPTION 'the cut is not what was found'; END $$;
\endif
