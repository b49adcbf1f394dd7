-- Verifying spines.

CREATE TYPE auditspine.spine_verdict AS (
    spine_id            text,
    ok                  boolean,
    status              text,
    root_ok             boolean,
    ids_ok              boolean,
    links_ok            boolean,
    rows_ok             boolean,
    all_segments_valid  boolean,
    segments            bigint,
    invalid_segment_ids text[],
    findings            bigint,
    first_finding       text,
    superseded_by       text,
    cache               text
);
COMMENT ON TYPE auditspine.spine_verdict IS 'verdict on one spine';
COMMENT ON COLUMN auditspine.spine_verdict.ok IS 'whether nothing speaks against the spine';
COMMENT ON COLUMN auditspine.spine_verdict.status IS 'Verified, Partial, Untrusted or Invalid';
COMMENT ON COLUMN auditspine.spine_verdict.root_ok IS 'root_hash is that of the segments';
COMMENT ON COLUMN auditspine.spine_verdict.ids_ok IS 'spine_id and each segment_id are those of their rows';
COMMENT ON COLUMN auditspine.spine_verdict.links_ok IS 'the segments are all there, once, and each continues the one before';
COMMENT ON COLUMN auditspine.spine_verdict.rows_ok IS 'the rows, and the audit of their tables, are as the audit chain says';
COMMENT ON COLUMN auditspine.spine_verdict.all_segments_valid IS 'each segment is signed by a key that counts, and its row is as recorded';
COMMENT ON COLUMN auditspine.spine_verdict.findings IS 'how many findings speak against the spine; see spine_findings()';
COMMENT ON COLUMN auditspine.spine_verdict.superseded_by IS 'the spine that took its place';
COMMENT ON COLUMN auditspine.spine_verdict.cache IS
    'none; stale: segments, keys or verifier have changed since; current; contradicted: it says something else than was found. The verdict never rests on it';

CREATE TYPE auditspine.spine_finding AS (
    spine_id   text,
    idx        integer,
    segment_id text,
    finding    text,
    seq        bigint,
    expected   text,
    found      text,
    detail     text
);
COMMENT ON TYPE auditspine.spine_finding IS 'one finding about a spine';
COMMENT ON COLUMN auditspine.spine_finding.seq IS 'number of the audit entry that recorded the row';

CREATE FUNCTION @extschema@.verify_spine(spine_id text, schema text DEFAULT 'scanner', record boolean DEFAULT false)
    RETURNS SETOF auditspine.spine_verdict
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 10000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_spine';
COMMENT ON FUNCTION @extschema@.verify_spine(text, text, boolean) IS
    'verifies a spine: root, ids, links, signatures by trusted keys, and its rows against the audit chain; with record => true it updates status, cache and history';

CREATE FUNCTION @extschema@.verify_spines("where" text DEFAULT NULL, schema text DEFAULT 'scanner', record boolean DEFAULT false)
    RETURNS SETOF auditspine.spine_verdict
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1000
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_spines';
COMMENT ON FUNCTION @extschema@.verify_spines(text, text, boolean) IS
    'verify_spine() of all spines, or of those that meet a condition on columns of proof_spines, which runs with the caller''s rights';

CREATE FUNCTION @extschema@.spine_findings(spine_id text, schema text DEFAULT 'scanner')
    RETURNS SETOF auditspine.spine_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 10000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_spine_findings';
COMMENT ON FUNCTION @extschema@.spine_findings(text, text) IS
    'verifies a spine as verify_spine() does, and lists every finding with its evidence';
