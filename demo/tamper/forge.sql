\echo 'Forge: one entry is rewritten to tell of another row, and all of its own hashes are computed anew.'
SELECT max(pos) * 7 / 10 AS pos FROM auditspine.audit_chain WHERE chain_id = 1 AND lane = 0 \gset
UPDATE auditspine.audit_chain SET
    event_pk = 'forged',
    payload_hash = canonical_json_hash('{"forged": true}'::jsonb),
    payload = CASE WHEN payload IS NOT NULL THEN '{"forged": true}'::jsonb END
WHERE chain_id = 1 AND lane = 0 AND pos = :pos;
UPDATE auditspine.audit_chain AS entry SET event_hash = pg_temp.demo_event_hash(entry)
WHERE chain_id = 1 AND lane = 0 AND pos = :pos;
UPDATE auditspine.audit_chain SET chain_hash = sha256(prev_hash || event_hash || int8send(seq))
WHERE chain_id = 1 AND lane = 0 AND pos = :pos;
INSERT INTO damage VALUES ('entry_rewritten', :pos, :pos);
