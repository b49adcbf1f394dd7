/* As verify_links.sql, and every event hash is recomputed from its columns, which is what verify_chain() does.
   Right where texts need no escapes that PostgreSQL and RFC 8785 write differently. */
SELECT 1 FROM (
    SELECT chain_hash, event_hash, prev_hash, seq, pos,
           digest('{"actor":' || coalesce(to_json(actor)::text, 'null')
               || ',"appended_at":"' || to_char(appended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               || '","chain":' || to_json(chain.name)::text
               || ',"context":' || coalesce(context::text, 'null')
               || ',"db_user":' || to_json(db_user)::text
               || ',"kind":' || to_json(event_kind)::text
               || ',"lane":' || lane
               || ',"layout":' || coalesce(layout::text, 'null')
               || ',"op":"' || op::text
               || '","payload_hash":"' || encode(payload_hash, 'hex')
               || '","pk":' || coalesce(to_json(event_pk)::text, 'null')
               || ',"pos":"' || pos
               || '","v":' || version
               || ',"xid":"' || xid || '"}', 'sha256') AS expected_event,
           row_number() OVER lane AS expected_pos,
           lag(chain_hash, 1, decode(repeat('00', 32), 'hex')) OVER lane AS expected_prev
    FROM auditspine.audit_chain JOIN auditspine.chain USING (chain_id)
    WINDOW lane AS (PARTITION BY chain_id, lane ORDER BY pos)
) AS entry
WHERE pos <> expected_pos
   OR prev_hash <> expected_prev
   OR event_hash <> expected_event
   OR chain_hash <> digest(prev_hash || event_hash || int8send(seq), 'sha256')
