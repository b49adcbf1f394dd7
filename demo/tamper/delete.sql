\echo 'Delete: one entry is removed.'
SELECT max(pos) * 3 / 10 AS pos FROM auditspine.audit_chain WHERE chain_id = 1 AND lane = 0 \gset
DELETE FROM auditspine.audit_chain WHERE chain_id = 1 AND lane = 0 AND pos = :pos;
INSERT INTO damage VALUES ('entries_missing', :pos + 1, :pos + 1);
