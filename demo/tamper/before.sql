-- What a superuser can do: switch the triggers off that refuse writes to the chain.
ALTER TABLE auditspine.audit_chain DISABLE TRIGGER USER;

-- What must be found, for demo/tamper/after.sql: a finding of this kind at each position, in lane 0 of chain main.
-- A gap is reported by the entry behind it.
CREATE TEMPORARY TABLE damage (finding text, first_pos bigint, last_pos bigint);

-- event_hash by the published formula, for the forger.
CREATE FUNCTION pg_temp.demo_event_hash(e auditspine.audit_chain) RETURNS bytea LANGUAGE sql AS $$
    SELECT canonical_json_hash(jsonb_build_object(
        'actor', e.actor,
        'appended_at', to_char(e.appended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'chain', (SELECT name FROM auditspine.chain WHERE chain_id = e.chain_id),
        'context', e.context,
        'db_user', e.db_user,
        'kind', e.event_kind,
        'lane', e.lane,
        'layout', e.layout,
        'op', e.op,
        'payload_hash', encode(e.payload_hash, 'hex'),
        'pk', e.event_pk,
        'pos', e.pos::text,
        'v', e.version,
        'xid', e.xid::text))
$$;
-- The forger's formula is the right one: it agrees with every entry that is there.
DO $$
BEGIN
    IF EXISTS (SELECT FROM auditspine.audit_chain AS e WHERE pg_temp.demo_event_hash(e) <> e.event_hash) THEN
        RAISE EXCEPTION 'an event hash is not what the published formula says';
    END IF;
END $$;
