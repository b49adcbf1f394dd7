\echo 'Swap: two neighbours change places.'
SELECT max(pos) * 5 / 10 AS pos FROM auditspine.audit_chain WHERE chain_id = 1 AND lane = 0 \gset
UPDATE auditspine.audit_chain SET pos = pos + 1000000000
WHERE chain_id = 1 AND lane = 0 AND pos IN (:pos, :pos + 1);
UPDATE auditspine.audit_chain SET pos = 2 * :pos + 1 - (pos - 1000000000)
WHERE chain_id = 1 AND lane = 0 AND pos > 1000000000;
INSERT INTO damage VALUES ('entry_moved', :pos, :pos + 1);
