-- The tables of ProofSpines in one schema. create_proof_spine_schema() runs this as its caller, with names put in
-- between at-signs: the schema's, and that of the extension's functions. Names without a schema are pg_catalog's.

CREATE TABLE @schema@.proof_spines (
    spine_id               text PRIMARY KEY CHECK (spine_id ~ '^[0-9a-f]{64}$'),
    artifact_id            text NOT NULL CHECK (artifact_id <> ''),
    vuln_id                text NOT NULL CHECK (vuln_id <> ''),
    policy_profile_id      text NOT NULL CHECK (policy_profile_id <> ''),
    verdict                text NOT NULL CHECK (verdict IN ('not_affected', 'affected', 'fixed', 'under_investigation')),
    verdict_reason         text,
    root_hash              text NOT NULL CHECK (root_hash ~ '^[0-9a-f]{64}$'),
    scan_run_id            text NOT NULL CHECK (scan_run_id <> ''),
    segment_count          integer NOT NULL DEFAULT 0,
    created_at_utc         timestamptz NOT NULL DEFAULT now(),
    -- Deferred: the new spine comes after the old one has made room, and there is one current spine only.
    superseded_by_spine_id text CONSTRAINT proof_spines_superseded_by_key UNIQUE
                           REFERENCES @schema@.proof_spines DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT proof_spines_decision_root_key UNIQUE (artifact_id, vuln_id, policy_profile_id, root_hash),
    CONSTRAINT proof_spines_not_itself_check CHECK (superseded_by_spine_id <> spine_id)
);
CREATE UNIQUE INDEX proof_spines_current_key ON @schema@.proof_spines (artifact_id, vuln_id, policy_profile_id)
    WHERE superseded_by_spine_id IS NULL;
CREATE INDEX proof_spines_vuln_idx ON @schema@.proof_spines (vuln_id);
CREATE INDEX proof_spines_scan_run_idx ON @schema@.proof_spines (scan_run_id);

COMMENT ON TABLE @schema@.proof_spines IS 'decisions on an artifact and a vulnerability under a policy, each with the evidence in proof_segments; written by create_spine()';
COMMENT ON COLUMN @schema@.proof_spines.spine_id IS 'spine_id(artifact_id, vuln_id, policy_profile_id, root_hash), checked at commit';
COMMENT ON COLUMN @schema@.proof_spines.artifact_id IS 'what was decided on, such as a package URL or an image digest';
COMMENT ON COLUMN @schema@.proof_spines.vuln_id IS 'the vulnerability, such as a CVE';
COMMENT ON COLUMN @schema@.proof_spines.policy_profile_id IS 'the policy it was decided under';
COMMENT ON COLUMN @schema@.proof_spines.verdict IS 'VEX status: not_affected, affected, fixed or under_investigation';
COMMENT ON COLUMN @schema@.proof_spines.verdict_reason IS 'why, in words';
COMMENT ON COLUMN @schema@.proof_spines.root_hash IS 'spine_root_hash(result_hash ORDER BY idx) of the segments, checked at commit';
COMMENT ON COLUMN @schema@.proof_spines.scan_run_id IS 'the scan that decided so first';
COMMENT ON COLUMN @schema@.proof_spines.segment_count IS 'how many segments there are; kept by triggers, whatever is written here';
COMMENT ON COLUMN @schema@.proof_spines.created_at_utc IS 'when the spine was written';
COMMENT ON COLUMN @schema@.proof_spines.superseded_by_spine_id IS 'the spine that took its place, written once; null in the current one';

CREATE TABLE @schema@.proof_segments (
    segment_id        text PRIMARY KEY CHECK (segment_id ~ '^[0-9a-f]{64}$'),
    spine_id          text NOT NULL REFERENCES @schema@.proof_spines ON DELETE CASCADE,
    idx               integer NOT NULL CHECK (idx >= 0),
    segment_type      text NOT NULL CHECK (segment_type IN
                          ('SbomSlice', 'Match', 'Reachability', 'GuardAnalysis', 'RuntimeObservation', 'PolicyEval')),
    input_hash        text NOT NULL CHECK (input_hash ~ '^(sha256:)?[0-9a-f]{64}$'),
    result_hash       text NOT NULL CHECK (result_hash ~ '^(sha256:)?[0-9a-f]{64}$'),
    prev_segment_hash text CHECK (prev_segment_hash ~ '^(sha256:)?[0-9a-f]{64}$'),
    envelope_json     jsonb NOT NULL CHECK (jsonb_typeof(envelope_json) = 'object'),
    tool_id           text NOT NULL CHECK (tool_id <> ''),
    tool_version      text NOT NULL CHECK (tool_version <> ''),
    status            text NOT NULL DEFAULT 'Pending'
                      CHECK (status IN ('Pending', 'Verified', 'Partial', 'Invalid', 'Untrusted')),
    created_at_utc    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT proof_segments_spine_idx_key UNIQUE (spine_id, idx)
);
CREATE INDEX proof_segments_status_idx ON @schema@.proof_segments (status, spine_id) WHERE status <> 'Verified';

COMMENT ON TABLE @schema@.proof_segments IS 'the evidence of each spine, in order, each piece signed';
COMMENT ON COLUMN @schema@.proof_segments.segment_id IS 'segment_id(spine_id, idx, segment_type, input_hash, result_hash)';
COMMENT ON COLUMN @schema@.proof_segments.spine_id IS 'the spine it belongs to';
COMMENT ON COLUMN @schema@.proof_segments.idx IS 'its place in the spine: 0, 1, 2 …, without a gap';
COMMENT ON COLUMN @schema@.proof_segments.segment_type IS 'what it is evidence of';
COMMENT ON COLUMN @schema@.proof_segments.input_hash IS 'SHA-256 of what the tool was given: hex, with or without sha256: before it';
COMMENT ON COLUMN @schema@.proof_segments.result_hash IS 'SHA-256 of what the tool found, in the same form; bound by the signed payload';
COMMENT ON COLUMN @schema@.proof_segments.prev_segment_hash IS 'result_hash of the segment before; null in the first';
COMMENT ON COLUMN @schema@.proof_segments.envelope_json IS 'DSSE envelope: the signed payload';
COMMENT ON COLUMN @schema@.proof_segments.tool_id IS 'the tool that found it';
COMMENT ON COLUMN @schema@.proof_segments.tool_version IS 'version of that tool';
COMMENT ON COLUMN @schema@.proof_segments.status IS 'what it was worth when it was verified last: Pending, Verified, Partial, Invalid or Untrusted';
COMMENT ON COLUMN @schema@.proof_segments.created_at_utc IS 'when the segment was written; keys must count then';

CREATE TABLE @schema@.proof_spine_history (
    history_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- No foreign key: history outlives its spine.
    spine_id   text NOT NULL,
    event      text NOT NULL CHECK (event IN ('created', 'superseded', 'verified', 'invalidated')),
    at_utc     timestamptz NOT NULL DEFAULT now(),
    by_user    text NOT NULL DEFAULT session_user,
    detail     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object')
);
CREATE INDEX proof_spine_history_spine_idx ON @schema@.proof_spine_history (spine_id, history_id);

COMMENT ON TABLE @schema@.proof_spine_history IS 'what became of each spine; written by triggers, append-only';
COMMENT ON COLUMN @schema@.proof_spine_history.history_id IS 'number of the event; gaps are normal';
COMMENT ON COLUMN @schema@.proof_spine_history.spine_id IS 'the spine, which may be gone';
COMMENT ON COLUMN @schema@.proof_spine_history.event IS 'created, superseded, verified or invalidated';
COMMENT ON COLUMN @schema@.proof_spine_history.at_utc IS 'when';
COMMENT ON COLUMN @schema@.proof_spine_history.by_user IS 'session user';
COMMENT ON COLUMN @schema@.proof_spine_history.detail IS 'the decision, the spine that took its place, or what the verification found';

CREATE TABLE @schema@.proof_spine_verification_cache (
    spine_id            text PRIMARY KEY REFERENCES @schema@.proof_spines ON DELETE CASCADE,
    verified_at_utc     timestamptz NOT NULL DEFAULT now(),
    verifier_version    text NOT NULL,
    status              text CHECK (status IN ('Verified', 'Partial', 'Invalid', 'Untrusted')),
    all_segments_valid  boolean NOT NULL,
    invalid_segment_ids text[] NOT NULL DEFAULT '{}',
    signature_algorithm text,
    key_fingerprint     text,
    evidence_digest     bytea
);
CREATE INDEX proof_spine_verification_cache_bad_idx ON @schema@.proof_spine_verification_cache (status, spine_id)
    WHERE status <> 'Verified';

COMMENT ON TABLE @schema@.proof_spine_verification_cache IS 'what verify_spine() found last of each spine, where it was asked to record that';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.spine_id IS 'the spine';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.verified_at_utc IS 'when';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.verifier_version IS 'version of auditspine';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.status IS 'Verified, Partial, Invalid or Untrusted';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.all_segments_valid IS 'whether each segment was signed by a key that counts';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.invalid_segment_ids IS 'those that were not';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.signature_algorithm IS 'algorithms of the good signatures, separated by commas';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.key_fingerprint IS 'keys of the good signatures, separated by commas';
COMMENT ON COLUMN @schema@.proof_spine_verification_cache.evidence_digest IS 'digest of all that the result depends on: rows, keys, version; a row without it is stale';

-- Segments: each continues the one before, and the spine knows how many there are.
CREATE TRIGGER spine_links AFTER INSERT ON @schema@.proof_segments
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION @verbs@.proof_segment_links();
-- A spine that is restored, or written with its count, is counted like any other.
CREATE TRIGGER spine_count BEFORE INSERT ON @schema@.proof_spines
    FOR EACH ROW WHEN (NEW.segment_count <> 0) EXECUTE FUNCTION @verbs@.proof_spine_count();
CREATE TRIGGER spine_count_insert AFTER INSERT ON @schema@.proof_segments
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION @verbs@.proof_segment_count();
CREATE TRIGGER spine_count_delete AFTER DELETE ON @schema@.proof_segments
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION @verbs@.proof_segment_count();
-- Not OF spine_id: a trigger on columns has no transition tables.
CREATE TRIGGER spine_count_update AFTER UPDATE ON @schema@.proof_segments
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION @verbs@.proof_segment_count();
CREATE TRIGGER spine_count_truncate AFTER TRUNCATE ON @schema@.proof_segments
    FOR EACH STATEMENT EXECUTE FUNCTION @verbs@.proof_segment_count();

-- Root and id, once all of a transaction is there.
CREATE CONSTRAINT TRIGGER spine_root AFTER INSERT OR UPDATE OF spine_id, idx, result_hash ON @schema@.proof_segments
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION @verbs@.proof_spine_root();
CREATE CONSTRAINT TRIGGER spine_root
    AFTER INSERT OR UPDATE OF spine_id, artifact_id, vuln_id, policy_profile_id, root_hash ON @schema@.proof_spines
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION @verbs@.proof_spine_root();

-- Supersession: at once, as far as the new spine is there; and at the end, when it must be.
CREATE TRIGGER spine_supersession AFTER UPDATE OF superseded_by_spine_id ON @schema@.proof_spines
    FOR EACH ROW WHEN (OLD.superseded_by_spine_id IS DISTINCT FROM NEW.superseded_by_spine_id)
    EXECUTE FUNCTION @verbs@.proof_spine_supersession();
CREATE CONSTRAINT TRIGGER spine_supersession_final
    AFTER INSERT OR UPDATE OF superseded_by_spine_id, artifact_id, vuln_id, policy_profile_id ON @schema@.proof_spines
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.superseded_by_spine_id IS NOT NULL)
    EXECUTE FUNCTION @verbs@.proof_spine_supersession();

-- History.
CREATE TRIGGER spine_history AFTER INSERT ON @schema@.proof_spines
    FOR EACH ROW EXECUTE FUNCTION @verbs@.proof_spine_history('created');
CREATE TRIGGER spine_history_superseded AFTER UPDATE OF superseded_by_spine_id ON @schema@.proof_spines
    FOR EACH ROW WHEN (OLD.superseded_by_spine_id IS NULL AND NEW.superseded_by_spine_id IS NOT NULL)
    EXECUTE FUNCTION @verbs@.proof_spine_history('superseded');
CREATE TRIGGER spine_history AFTER INSERT ON @schema@.proof_spine_verification_cache
    FOR EACH ROW EXECUTE FUNCTION @verbs@.proof_spine_history('verification');
CREATE TRIGGER spine_history_changed AFTER UPDATE ON @schema@.proof_spine_verification_cache
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status
                       OR OLD.all_segments_valid IS DISTINCT FROM NEW.all_segments_valid
                       OR OLD.invalid_segment_ids IS DISTINCT FROM NEW.invalid_segment_ids)
    EXECUTE FUNCTION @verbs@.proof_spine_history('verification');
