-- The tables of ProofSpines in one schema. create_proof_spine_schema() runs this as its caller, with names put in
-- between at-signs: the schema's, and that of the extension's functions. Names without a schema are pg_catalog's. The names
-- may hold anything but $spine$: no text in quotes names them.
--
-- The tables take what is written to them, in any order and however its ids are made. What a spine is worth is for
-- verify_spine() to tell; enforce_spine_rules() has them refuse what create_spine() would not write.

CREATE TABLE @schema@.proof_spines (
    spine_id               text PRIMARY KEY,
    artifact_id            text NOT NULL,
    vuln_id                text NOT NULL,
    policy_profile_id      text NOT NULL,
    verdict                text NOT NULL CHECK (verdict IN ('not_affected', 'affected', 'fixed', 'under_investigation')),
    verdict_reason         text,
    root_hash              text NOT NULL,
    scan_run_id            text NOT NULL,
    segment_count          integer NOT NULL DEFAULT 0,
    created_at_utc         timestamptz NOT NULL DEFAULT now(),
    -- Deferred: the old one may make room before the new one comes.
    superseded_by_spine_id text REFERENCES @schema@.proof_spines (spine_id) DEFERRABLE INITIALLY DEFERRED,
    managed                boolean NOT NULL DEFAULT false,
    CONSTRAINT proof_spines_unique_decision UNIQUE (artifact_id, vuln_id, policy_profile_id, root_hash)
);
CREATE INDEX idx_proof_spines_lookup ON @schema@.proof_spines (artifact_id, vuln_id, policy_profile_id);
CREATE INDEX idx_proof_spines_scan_run ON @schema@.proof_spines (scan_run_id);
CREATE INDEX idx_proof_spines_created ON @schema@.proof_spines (created_at_utc DESC);
CREATE INDEX idx_proof_spines_verdict ON @schema@.proof_spines (verdict);
-- The keys that point here are looked up when a spine goes.
CREATE INDEX idx_proof_spines_superseded ON @schema@.proof_spines (superseded_by_spine_id) WHERE superseded_by_spine_id IS NOT NULL;
-- Builders that run at the same time take turns by it.
CREATE UNIQUE INDEX idx_proof_spines_managed ON @schema@.proof_spines (artifact_id, vuln_id, policy_profile_id)
    WHERE superseded_by_spine_id IS NULL AND managed;

COMMENT ON TABLE @schema@.proof_spines IS 'decisions on an artifact and a vulnerability under a policy, each with the evidence in proof_segments';
COMMENT ON COLUMN @schema@.proof_spines.spine_id IS 'SHA-256 of artifact_id, vuln_id, policy_profile_id and root_hash: of the canonical JSON array, as spine_id() makes it, or of the texts put together';
COMMENT ON COLUMN @schema@.proof_spines.artifact_id IS 'what was decided on, such as a package URL or an image digest';
COMMENT ON COLUMN @schema@.proof_spines.vuln_id IS 'the vulnerability, such as a CVE';
COMMENT ON COLUMN @schema@.proof_spines.policy_profile_id IS 'the policy it was decided under';
COMMENT ON COLUMN @schema@.proof_spines.verdict IS 'VEX status: not_affected, affected, fixed or under_investigation';
COMMENT ON COLUMN @schema@.proof_spines.verdict_reason IS 'why, in words';
COMMENT ON COLUMN @schema@.proof_spines.root_hash IS 'SHA-256 of the segments'' result_hash put together in order: spine_root_hash(result_hash ORDER BY idx)';
COMMENT ON COLUMN @schema@.proof_spines.scan_run_id IS 'the scan that decided so first';
COMMENT ON COLUMN @schema@.proof_spines.segment_count IS 'how many segments there are; kept by triggers, whatever is written here';
COMMENT ON COLUMN @schema@.proof_spines.created_at_utc IS 'when the spine was written';
COMMENT ON COLUMN @schema@.proof_spines.superseded_by_spine_id IS 'the spine that took its place; null in the current one';
COMMENT ON COLUMN @schema@.proof_spines.managed IS 'written by create_spine(), which keeps one such spine of a decision current';

CREATE TABLE @schema@.proof_segments (
    segment_id        text PRIMARY KEY,
    spine_id          text NOT NULL REFERENCES @schema@.proof_spines (spine_id) ON DELETE CASCADE,
    idx               integer NOT NULL,
    segment_type      text NOT NULL CHECK (segment_type IN
                          ('SbomSlice', 'Match', 'Reachability', 'GuardAnalysis', 'RuntimeObservation', 'PolicyEval')),
    input_hash        text NOT NULL,
    result_hash       text NOT NULL,
    prev_segment_hash text,
    envelope_json     text NOT NULL,
    tool_id           text NOT NULL,
    tool_version      text NOT NULL,
    status            text NOT NULL DEFAULT 'Pending'
                      CHECK (status IN ('Pending', 'Verified', 'Partial', 'Invalid', 'Untrusted')),
    created_at_utc    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT proof_segments_unique_idx UNIQUE (spine_id, idx)
);
CREATE INDEX idx_proof_segments_spine ON @schema@.proof_segments (spine_id);
CREATE INDEX idx_proof_segments_type ON @schema@.proof_segments (segment_type);
CREATE INDEX idx_proof_segments_status ON @schema@.proof_segments (status);

COMMENT ON TABLE @schema@.proof_segments IS 'the evidence of each spine, in order, each piece signed';
COMMENT ON COLUMN @schema@.proof_segments.segment_id IS 'the segment: segment_id(spine_id, idx, segment_type, input_hash, result_hash), or what its builder calls it';
COMMENT ON COLUMN @schema@.proof_segments.spine_id IS 'the spine it belongs to';
COMMENT ON COLUMN @schema@.proof_segments.idx IS 'its place in the spine: 0, 1, 2 …, without a gap';
COMMENT ON COLUMN @schema@.proof_segments.segment_type IS 'what it is evidence of';
COMMENT ON COLUMN @schema@.proof_segments.input_hash IS 'SHA-256 of what the tool was given: hex, with or without sha256: before it';
COMMENT ON COLUMN @schema@.proof_segments.result_hash IS 'SHA-256 of what the tool found, in the same form; bound by the signed payload';
COMMENT ON COLUMN @schema@.proof_segments.prev_segment_hash IS 'result_hash of the segment before; null in the first';
COMMENT ON COLUMN @schema@.proof_segments.envelope_json IS 'DSSE envelope: the signed payload; to the byte as it was received';
COMMENT ON COLUMN @schema@.proof_segments.tool_id IS 'the tool that found it';
COMMENT ON COLUMN @schema@.proof_segments.tool_version IS 'version of that tool';
COMMENT ON COLUMN @schema@.proof_segments.status IS 'what it was worth when it was verified last: Pending, Verified, Partial, Invalid or Untrusted';
COMMENT ON COLUMN @schema@.proof_segments.created_at_utc IS 'when the segment was written; keys must count then';

CREATE TABLE @schema@.proof_spine_history (
    history_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    spine_id        text NOT NULL REFERENCES @schema@.proof_spines (spine_id),
    action          text NOT NULL CHECK (action IN ('created', 'superseded', 'verified', 'invalidated')),
    actor           text,
    reason          text,
    occurred_at_utc timestamptz NOT NULL DEFAULT now(),
    detail          jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX idx_proof_spine_history_spine ON @schema@.proof_spine_history (spine_id);
CREATE INDEX idx_proof_spine_history_action ON @schema@.proof_spine_history (action);
CREATE INDEX idx_proof_spine_history_occurred ON @schema@.proof_spine_history (occurred_at_utc DESC);

COMMENT ON TABLE @schema@.proof_spine_history IS 'what became of each spine; written by triggers, and by whoever has more to tell; append-only';
COMMENT ON COLUMN @schema@.proof_spine_history.history_id IS 'the event';
COMMENT ON COLUMN @schema@.proof_spine_history.spine_id IS 'the spine; one that has a history stays';
COMMENT ON COLUMN @schema@.proof_spine_history.action IS 'created, superseded, verified or invalidated';
COMMENT ON COLUMN @schema@.proof_spine_history.actor IS 'who; of what triggers write: the session user';
COMMENT ON COLUMN @schema@.proof_spine_history.reason IS 'what happened, in words';
COMMENT ON COLUMN @schema@.proof_spine_history.occurred_at_utc IS 'when';
COMMENT ON COLUMN @schema@.proof_spine_history.detail IS 'the decision, the spine that took its place, or what the verification found';

CREATE TABLE @schema@.proof_spine_verification_cache (
    spine_id            text PRIMARY KEY REFERENCES @schema@.proof_spines (spine_id) ON DELETE CASCADE,
    verified_at_utc     timestamptz NOT NULL DEFAULT now(),
    verifier_version    text NOT NULL,
    all_segments_valid  boolean NOT NULL,
    invalid_segment_ids text[],
    signature_algorithm text NOT NULL,
    key_fingerprint     text NOT NULL,
    status              text CHECK (status IN ('Verified', 'Partial', 'Invalid', 'Untrusted')),
    evidence_digest     bytea
);
CREATE INDEX idx_verification_cache_verified ON @schema@.proof_spine_verification_cache (verified_at_utc DESC);
CREATE INDEX idx_verification_cache_bad ON @schema@.proof_spine_verification_cache (status, spine_id) WHERE status <> 'Verified';

COMMENT ON TABLE @schema@.proof_spine_verification_cache IS 'what was found last of each spine: by verify_spine(), where it was asked to record that, or by a verifier of yours';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.spine_id IS 'the spine';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.verified_at_utc IS 'when';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.verifier_version IS 'version of the verifier: of auditspine, or of yours';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.all_segments_valid IS 'whether each segment was signed by a key that counts';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.invalid_segment_ids IS 'those that were not';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.signature_algorithm IS 'algorithms of the good signatures, separated by commas; none if there are none';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.key_fingerprint IS 'keys of the good signatures, separated by commas; none if there are none';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.status IS 'Verified, Partial, Invalid or Untrusted';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.evidence_digest IS 'digest of all that the result depends on: rows, keys, version; a row without it is stale';

-- Segments are counted by statement: of six that come at once, the spine is told once.
CREATE TRIGGER trg_update_segment_count AFTER INSERT ON @schema@.proof_segments
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION @verbs@.proof_segment_count();
CREATE TRIGGER trg_update_segment_count_delete AFTER DELETE ON @schema@.proof_segments
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION @verbs@.proof_segment_count();
-- Not OF spine_id: a trigger on columns has no transition tables.
CREATE TRIGGER trg_update_segment_count_update AFTER UPDATE ON @schema@.proof_segments
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION @verbs@.proof_segment_count();
CREATE TRIGGER trg_update_segment_count_truncate AFTER TRUNCATE ON @schema@.proof_segments
    FOR EACH STATEMENT EXECUTE FUNCTION @verbs@.proof_segment_count();
-- A spine that is restored, or written with its count, is counted like any other.
CREATE TRIGGER trg_start_segment_count BEFORE INSERT ON @schema@.proof_spines
    FOR EACH ROW WHEN (NEW.segment_count <> 0) EXECUTE FUNCTION @verbs@.proof_spine_count();

CREATE TRIGGER trg_record_spine_history AFTER INSERT OR UPDATE OF superseded_by_spine_id ON @schema@.proof_spines
    FOR EACH ROW EXECUTE FUNCTION @verbs@.proof_spine_history('spine');
CREATE TRIGGER trg_record_verification_history AFTER INSERT ON @schema@.proof_spine_verification_cache
    FOR EACH ROW EXECUTE FUNCTION @verbs@.proof_spine_history('verification');
CREATE TRIGGER trg_record_verification_history_update AFTER UPDATE ON @schema@.proof_spine_verification_cache
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status
                       OR OLD.all_segments_valid IS DISTINCT FROM NEW.all_segments_valid
                       OR OLD.invalid_segment_ids IS DISTINCT FROM NEW.invalid_segment_ids)
    EXECUTE FUNCTION @verbs@.proof_spine_history('verification');

-- The same work for a row at a time, with the rights of whoever writes, for triggers that somebody else makes. While the
-- extension's own do it, which need no rights of the writer's, these leave it to them: nothing is counted or told twice.
CREATE FUNCTION @schema@.update_spine_segment_count() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $spine$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid AND p.prosrc = 'auditspine_segment_count'
               WHERE t.tgrelid = TG_RELID AND t.tgenabled IN ('O', 'A')) THEN
        RETURN NULL;
    END IF;
    UPDATE @schema@.proof_spines AS s
    SET segment_count = (SELECT count(*) FROM @schema@.proof_segments AS g WHERE g.spine_id = s.spine_id)
    WHERE s.spine_id IN (NEW.spine_id, OLD.spine_id);
    RETURN NULL;
END $spine$;
COMMENT ON FUNCTION @schema@.update_spine_segment_count() IS
    'trigger (AFTER … FOR EACH ROW): counts the segments of the row''s spine anew, unless the native trigger on its table does';

CREATE FUNCTION @schema@.record_spine_history() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $spine$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid AND p.prosrc = 'auditspine_spine_history'
               WHERE t.tgrelid = TG_RELID AND t.tgenabled IN ('O', 'A')) THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO @schema@.proof_spine_history (spine_id, action, actor, reason, occurred_at_utc)
        VALUES (NEW.spine_id, 'created', session_user, 'Spine created', clock_timestamp());
    ELSIF OLD.superseded_by_spine_id IS NULL AND NEW.superseded_by_spine_id IS NOT NULL THEN
        INSERT INTO @schema@.proof_spine_history (spine_id, action, actor, reason, occurred_at_utc)
        VALUES (NEW.spine_id, 'superseded', session_user, 'Superseded by ' || NEW.superseded_by_spine_id, clock_timestamp());
    END IF;
    RETURN NULL;
END $spine$;
COMMENT ON FUNCTION @schema@.record_spine_history() IS
    'trigger (AFTER INSERT OR UPDATE … FOR EACH ROW): writes to the history that a spine was created, or superseded, unless the native trigger on its table does';

CREATE FUNCTION @schema@.enforce_spine_rules(enforce boolean DEFAULT true) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET client_min_messages = warning
    AS $spine$
BEGIN
    -- Another call may have made them: then they are made anew.
    DROP TRIGGER IF EXISTS trg_spine_links ON @schema@.proof_segments;
    DROP TRIGGER IF EXISTS trg_spine_root ON @schema@.proof_segments;
    DROP TRIGGER IF EXISTS trg_spine_root ON @schema@.proof_spines;
    DROP TRIGGER IF EXISTS trg_spine_supersession ON @schema@.proof_spines;
    DROP TRIGGER IF EXISTS trg_spine_supersession_final ON @schema@.proof_spines;
    IF NOT enforce THEN
        RETURN;
    END IF;
    CREATE TRIGGER trg_spine_links AFTER INSERT ON @schema@.proof_segments
        REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION @verbs@.proof_segment_links();
    -- Root and id, once all of a transaction is there.
    CREATE CONSTRAINT TRIGGER trg_spine_root AFTER INSERT OR UPDATE OF spine_id, idx, result_hash ON @schema@.proof_segments
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION @verbs@.proof_spine_root();
    CREATE CONSTRAINT TRIGGER trg_spine_root
        AFTER INSERT OR UPDATE OF spine_id, artifact_id, vuln_id, policy_profile_id, root_hash ON @schema@.proof_spines
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION @verbs@.proof_spine_root();
    -- At once, as far as the new spine is there; and at the end, when it must be.
    CREATE TRIGGER trg_spine_supersession AFTER UPDATE OF superseded_by_spine_id ON @schema@.proof_spines
        FOR EACH ROW WHEN (OLD.superseded_by_spine_id IS DISTINCT FROM NEW.superseded_by_spine_id)
        EXECUTE FUNCTION @verbs@.proof_spine_supersession();
    CREATE CONSTRAINT TRIGGER trg_spine_supersession_final
        AFTER INSERT OR UPDATE OF superseded_by_spine_id, artifact_id, vuln_id, policy_profile_id ON @schema@.proof_spines
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.superseded_by_spine_id IS NOT NULL)
        EXECUTE FUNCTION @verbs@.proof_spine_supersession();
END $spine$;
-- A trigger that is made fires for everybody.
REVOKE ALL ON FUNCTION @schema@.enforce_spine_rules(boolean) FROM PUBLIC;
COMMENT ON FUNCTION @schema@.enforce_spine_rules(boolean) IS
    'has the tables refuse, or take again, segments that do not continue the one before, spines whose root or id is not that of their segments, and supersession twice, in a circle or by another decision; for the tables'' owner';
