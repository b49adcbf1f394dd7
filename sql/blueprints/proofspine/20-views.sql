-- proofspine: what holds now, by whose keys, on which evidence.

CREATE VIEW @schema@.proof_spine_decisions AS
SELECT s.artifact_id, s.vuln_id, s.policy_profile_id, s.verdict, s.verdict_reason, coalesce(c.status, 'Pending') AS status,
       c.verified_at_utc, s.segment_count, s.scan_run_id, s.created_at_utc, s.spine_id, c.key_fingerprint,
       (SELECT count(*) FROM @schema@.proof_spine_alerts AS a WHERE a.spine_id = s.spine_id AND a.resolved_at IS NULL) AS open_alerts
FROM @schema@.proof_spines AS s
LEFT JOIN @schema@.proof_spine_verification_cache AS c USING (spine_id)
WHERE s.superseded_by_spine_id IS NULL;
COMMENT ON VIEW @schema@.proof_spine_decisions IS 'the current decision on each artifact and vulnerability under each policy, and what it was worth when it was verified last';
COMMENT ON COLUMN @schema@.proof_spine_decisions.status IS 'Verified, Partial, Untrusted, Invalid, or Pending if it was never verified; as of verified_at_utc';
COMMENT ON COLUMN @schema@.proof_spine_decisions.key_fingerprint IS 'keys of the good signatures, separated by commas';

CREATE VIEW @schema@.proof_spine_keys AS
SELECT k.fingerprint, k.comment, k.algorithm,
       CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'
            WHEN k.valid_from > now() THEN 'not yet'
            WHEN k.valid_until <= now() THEN 'retired'
            ELSE 'counts' END AS state,
       k.valid_from, k.valid_until, k.revoked_at, k.revoke_reason, k.added_at, k.added_by,
       (SELECT count(*) FROM @schema@.proof_spine_decisions AS d
        WHERE k.fingerprint = ANY (string_to_array(d.key_fingerprint, ','))) AS decisions
FROM ONLY auditspine.trusted_key AS k;
COMMENT ON VIEW @schema@.proof_spine_keys IS 'keys that were trusted, by trust_key(), what they are worth now, and how many current decisions rest on them';
COMMENT ON COLUMN @schema@.proof_spine_keys.state IS 'counts, not yet, retired (for what was signed since valid_until) or revoked';
COMMENT ON COLUMN @schema@.proof_spine_keys.decisions IS 'current decisions with a good signature by it, as of their last verification';

-- What was signed is shown as it was signed; whether it was, is for the last column to say.
CREATE FUNCTION @schema@.proof_spine_evidence(artifact_id text, vuln_id text, policy_profile_id text)
    RETURNS TABLE (idx integer, segment_type text, tool text, result_hash text, payload_type text, payload text, findings text[])
    LANGUAGE plpgsql ROWS 6
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    spine text;
    envelope text;
BEGIN
    SELECT s.spine_id INTO spine FROM @schema@.proof_spines AS s
    WHERE s.artifact_id = proof_spine_evidence.artifact_id AND s.vuln_id = proof_spine_evidence.vuln_id
      AND s.policy_profile_id = proof_spine_evidence.policy_profile_id AND s.superseded_by_spine_id IS NULL
    ORDER BY s.created_at_utc DESC, s.spine_id LIMIT 1;
    IF spine IS NULL THEN
        RAISE no_data_found USING
            MESSAGE = format('there is no decision on %s and %s under policy %s', artifact_id, vuln_id, policy_profile_id),
            HINT = 'see @schema@.proof_spine_decisions';
    END IF;
    FOR idx, segment_type, tool, result_hash, envelope, findings IN
        WITH f AS (SELECT * FROM @verbs@.spine_findings(spine, (SELECT nspname::text FROM pg_namespace WHERE oid = '@schema@'::regnamespace)))
        SELECT g.idx, g.segment_type, g.tool_id || ' ' || g.tool_version, g.result_hash, g.envelope_json,
               ARRAY(SELECT f.finding FROM f WHERE f.idx = g.idx ORDER BY f.finding)
        FROM @schema@.proof_segments AS g WHERE g.spine_id = spine ORDER BY g.idx
    LOOP
        payload_type := NULL;
        payload := NULL;
        BEGIN
            payload_type := envelope::jsonb ->> 'payloadType';
            payload := convert_from(decode(translate(envelope::jsonb ->> 'payload', '-_', '+/'), 'base64'), 'UTF8');
        EXCEPTION WHEN data_exception THEN
            NULL; -- It is for the last column to say why.
        END;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION @schema@.proof_spine_evidence(text, text, text) IS
    'the evidence of the current decision, segment by segment: what was signed, and what the verifier has against it; payload_type and payload are null where they are no text';
