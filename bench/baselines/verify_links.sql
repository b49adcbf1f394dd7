/* The links of all chains, checked in SQL with pgcrypto: rows that are not what they must be.
   Event hashes are taken as stored. */
SELECT 1 FROM (
    SELECT chain_hash, event_hash, prev_hash, seq, pos,
           row_number() OVER lane AS expected_pos,
           lag(chain_hash, 1, decode(repeat('00', 32), 'hex')) OVER lane AS expected_prev
    FROM auditspine.audit_chain
    WINDOW lane AS (PARTITION BY chain_id, lane ORDER BY pos)
) AS entry
WHERE pos <> expected_pos
   OR prev_hash <> expected_prev
   OR chain_hash <> digest(prev_hash || event_hash || int8send(seq), 'sha256')
