\echo 'Edit: somebody else is made to have made a change (db_user of one entry).'
SELECT max(pos) / 10 AS pos FROM auditspine.audit_chain WHERE chain_id = 1 AND lane = 0 \gset
UPDATE auditspine.audit_chain SET db_user = 'somebody_else' WHERE chain_id = 1 AND lane = 0 AND pos = :pos;
INSERT INTO damage VALUES ('entry_edited', :pos, :pos);
