-- Updates from 0.2.0 to 0.3.0. Released: tests/releases/SHA256SUMS holds it as it is.

-- 05-attach.sql
-- audit_attach() can leave out UPDATEs that change nothing, and the view tells.

DROP FUNCTION @extschema@.audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean);
CREATE FUNCTION @extschema@.audit_attach(
    target         regclass,
    kind           text    DEFAULT NULL,
    chain          text    DEFAULT 'main',
    chain_by       text[]  DEFAULT NULL,
    pk             text[]  DEFAULT NULL,
    payload        text    DEFAULT 'hash',
    exclude        text[]  DEFAULT '{}',
    append_only    boolean DEFAULT false,
    backfill       boolean DEFAULT false,
    skip_unchanged boolean DEFAULT false
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'audit_attach_table_wrapper';
-- It attaches triggers with the caller's rights; whoever may use it can write entries of any kind that is free.
REVOKE ALL ON FUNCTION @extschema@.audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean, boolean)
    FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean, boolean) IS
    'audits a table and its partitions from here on; answers attached, replaced or unchanged';

CREATE OR REPLACE VIEW auditspine.audited_table AS
SELECT t.tgrelid::regclass AS table_name,
       n.kind,
       CASE WHEN p.problem IS NULL THEN
           coalesce(auditspine.declared(t.tgargs, 'pk'),
                    (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place)
                     FROM pg_catalog.pg_index AS i
                     CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                     JOIN pg_catalog.pg_attribute AS a
                       ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) k.attnum
                     WHERE i.indrelid OPERATOR(pg_catalog.=) t.tgrelid AND i.indisprimary
                       AND k.place OPERATOR(pg_catalog.<=) i.indnkeyatts))
       END AS pk,
       (auditspine.declared(t.tgargs, 'chain'))[1] AS chain,
       auditspine.declared(t.tgargs, 'chain_by') AS chain_by,
       (auditspine.declared(t.tgargs, 'payload'))[1] AS payload,
       auditspine.declared(t.tgargs, 'exclude') AS exclude,
       EXISTS (SELECT FROM pg_catalog.pg_trigger AS r
               WHERE r.tgrelid OPERATOR(pg_catalog.=) t.tgrelid
                 AND r.tgfoid OPERATOR(pg_catalog.=) '@extschema@.audit_refuse_change()'::regprocedure
                 AND (r.tgtype OPERATOR(pg_catalog.&) 1::smallint) OPERATOR(pg_catalog.=) 1
                 AND r.tgenabled OPERATOR(pg_catalog.=) ANY ('{A,O}'::"char"[])) AS append_only,
       t.tgenabled OPERATOR(pg_catalog.=) ANY ('{A,O}'::"char"[]) AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_partition_tree(t.tgrelid) AS m
           JOIN pg_catalog.pg_trigger AS c ON c.tgrelid OPERATOR(pg_catalog.=) m.relid
           WHERE c.tgfoid OPERATOR(pg_catalog.=) t.tgfoid AND c.tgname OPERATOR(pg_catalog.=) t.tgname
             AND c.tgtype OPERATOR(pg_catalog.=) t.tgtype
             AND c.tgenabled OPERATOR(pg_catalog.<>) ALL ('{A,O}'::"char"[])) AS enabled,
       CASE WHEN t.tgenabled OPERATOR(pg_catalog.=) 'A'::"char" THEN 'always'
            WHEN t.tgenabled OPERATOR(pg_catalog.=) 'O'::"char" THEN 'origin'
            WHEN t.tgenabled OPERATOR(pg_catalog.=) 'R'::"char" THEN 'replica'
            ELSE 'disabled' END AS trigger_state,
       NOT EXISTS (
           SELECT FROM (SELECT t.tgrelid::regclass UNION SELECT relid FROM pg_catalog.pg_partition_tree(t.tgrelid))
                       AS m (relid)
           WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS c
                             WHERE c.tgrelid OPERATOR(pg_catalog.=) m.relid AND c.tgfoid OPERATOR(pg_catalog.=) t.tgfoid
                               AND (c.tgtype OPERATOR(pg_catalog.&) 1::smallint) OPERATOR(pg_catalog.=) 0
                               AND (c.tgtype OPERATOR(pg_catalog.&) 32::smallint) OPERATOR(pg_catalog.=) 32
                               AND c.tgenabled OPERATOR(pg_catalog.=) ANY ('{A,O}'::"char"[]))) AS truncate_covered,
       (SELECT pg_catalog.count(*)::integer FROM pg_catalog.pg_partition_tree(t.tgrelid) AS m
        WHERE m.isleaf AND m.level OPERATOR(pg_catalog.>) 0) AS partitions,
       (SELECT pg_catalog.count(*) FROM ONLY auditspine.audit_chain AS e
        WHERE e.event_kind OPERATOR(pg_catalog.=) n.kind) AS entries,
       p.problem,
       auditspine.declared(t.tgargs, 'unchanged') IS NOT NULL AS skip_unchanged
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid
CROSS JOIN LATERAL (
    SELECT coalesce((auditspine.declared(t.tgargs, 'kind'))[1],
                    (SELECT r.relname::text FROM pg_catalog.pg_class AS r
                     WHERE r.oid OPERATOR(pg_catalog.=) coalesce(pg_catalog.pg_partition_root(t.tgrelid)::oid, t.tgrelid)))
           AS kind
) AS n
CROSS JOIN LATERAL (
    SELECT coalesce(
        auditspine.declaration_problem(t.tgargs),
        (SELECT pg_catalog.format('the table has no column %I', x.name)
         FROM pg_catalog.unnest(auditspine.declared(t.tgargs, 'pk')
                                OPERATOR(pg_catalog.||) auditspine.declared(t.tgargs, 'chain_by')
                                OPERATOR(pg_catalog.||) auditspine.declared(t.tgargs, 'exclude')) AS x (name)
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                           WHERE a.attrelid OPERATOR(pg_catalog.=) t.tgrelid AND a.attname OPERATOR(pg_catalog.=) x.name
                             AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped)
         LIMIT 1),
        CASE WHEN auditspine.declared(t.tgargs, 'pk') IS NULL
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i
                              WHERE i.indrelid OPERATOR(pg_catalog.=) t.tgrelid AND i.indisprimary)
             THEN 'the table has no primary key, and the trigger names no key' END,
        (SELECT pg_catalog.format('there is no audit chain %L', x.name)
         FROM pg_catalog.unnest(auditspine.declared(t.tgargs, 'chain')) AS x (name)
         WHERE NOT EXISTS (SELECT FROM ONLY auditspine.chain AS k WHERE k.name OPERATOR(pg_catalog.=) x.name))
    ) AS problem
) AS p
WHERE t.tgfoid OPERATOR(pg_catalog.=) '@extschema@.audit_chain_append()'::regprocedure
  AND t.tgparentid OPERATOR(pg_catalog.=) 0::oid
  AND (t.tgtype OPERATOR(pg_catalog.&) 1::smallint) OPERATOR(pg_catalog.=) 1;
COMMENT ON COLUMN auditspine.audited_table.skip_unchanged IS
    'whether an UPDATE that leaves the recorded columns as they were is no event';
COMMENT ON FUNCTION auditspine.declared(bytea, text) IS
    'one part of what a trigger declares (kind, pk, chain, chain_by, payload, exclude, unchanged); null if it is left out';

-- 10-keys.sql
-- Keys whose signatures count, and DSSE envelopes.

CREATE TABLE auditspine.trusted_key (
    fingerprint   text COLLATE "C" PRIMARY KEY,
    algorithm     text NOT NULL,
    pem           text NOT NULL,
    valid_from    timestamptz,
    valid_until   timestamptz,
    revoked_at    timestamptz,
    revoke_reason text,
    comment       text,
    added_at      timestamptz NOT NULL,
    added_by      text NOT NULL
);
COMMENT ON TABLE auditspine.trusted_key IS
    'keys whose signatures count; what each row says is told by the last entry of kind auditspine.key, and a row that differs counts for nothing';
COMMENT ON COLUMN auditspine.trusted_key.fingerprint IS 'SHA-256 of the key''s SubjectPublicKeyInfo (DER), in hex';
COMMENT ON COLUMN auditspine.trusted_key.algorithm IS 'ed25519 or ecdsa-p256-sha256';
COMMENT ON COLUMN auditspine.trusted_key.pem IS 'the SubjectPublicKeyInfo as PEM, in one form whatever form it was given in';
COMMENT ON COLUMN auditspine.trusted_key.valid_from IS 'what was signed before does not count; null: no limit';
COMMENT ON COLUMN auditspine.trusted_key.valid_until IS 'what was signed then or later does not count; null: no limit';
COMMENT ON COLUMN auditspine.trusted_key.revoked_at IS 'once set, nothing counts that the key signed, at whatever time';
COMMENT ON COLUMN auditspine.trusted_key.added_by IS 'session user';

CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON auditspine.trusted_key
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();

CREATE FUNCTION @extschema@.trust_key(
    pem         text,
    comment     text        DEFAULT NULL,
    valid_from  timestamptz DEFAULT NULL,
    valid_until timestamptz DEFAULT NULL
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'trust_key_wrapper';
-- It acts for the extension's owner: whoever may use it says what counts as evidence.
REVOKE ALL ON FUNCTION @extschema@.trust_key(text, text, timestamptz, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.trust_key(text, text, timestamptz, timestamptz) IS
    'makes signatures by a public key (PEM; Ed25519 or ECDSA P-256) count, and records that; answers its fingerprint';

CREATE FUNCTION @extschema@.revoke_key(fingerprint text, reason text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'revoke_key_wrapper';
REVOKE ALL ON FUNCTION @extschema@.revoke_key(text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.revoke_key(text, text) IS
    'ends for good that signatures by a key count, whenever they were made, and records that; false if it was revoked already';

CREATE FUNCTION @extschema@.key_fingerprint(pem text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'key_fingerprint_wrapper';
COMMENT ON FUNCTION @extschema@.key_fingerprint(text) IS
    'SHA-256 of a public key''s SubjectPublicKeyInfo (DER), in hex';

CREATE FUNCTION @extschema@.dsse_pae(type text, payload bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'dsse_pae_wrapper';
COMMENT ON FUNCTION @extschema@.dsse_pae(text, bytea) IS
    'what DSSE signatures are over: the pre-authentication encoding DSSEv1 of a payload and its type';

CREATE FUNCTION @extschema@.dsse_verify(envelope jsonb, keys text[], threshold integer DEFAULT 1)
    RETURNS TABLE (
        ok             boolean,
        reason         text,
        payload_type   text,
        payload        bytea,
        payload_sha256 text,
        verified_by    text[],
        signatures     jsonb
    )
    LANGUAGE c IMMUTABLE PARALLEL SAFE CALLED ON NULL INPUT
    COST 1000 ROWS 1
    AS 'MODULE_PATHNAME', 'dsse_verify_wrapper';
COMMENT ON FUNCTION @extschema@.dsse_verify(jsonb, text[], integer) IS
    'verifies the signatures of a DSSE envelope: by how many distinct keys of those given, and by which; the payload is shown only if they are enough';

SELECT pg_catalog.pg_extension_config_dump('auditspine.trusted_key', '');

COMMENT ON COLUMN auditspine.alert.layer IS 'links, rows, heads, keys or adopted';

-- 20-spine-schema.sql
-- ProofSpines: ids, the tables' triggers, the tables, and building spines.

CREATE FUNCTION @extschema@.spine_id(artifact_id text, vuln_id text, policy_profile_id text, root_hash text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'spine_id_wrapper';
COMMENT ON FUNCTION @extschema@.spine_id(text, text, text, text) IS
    'id of a spine: SHA-256 of the canonical JSON array of the four, in hex';

CREATE FUNCTION @extschema@.segment_id(
    spine_id     text,
    idx          integer,
    segment_type text,
    input_hash   text,
    result_hash  text
) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'segment_id_wrapper';
COMMENT ON FUNCTION @extschema@.segment_id(text, integer, text, text, text) IS
    'id of a segment: SHA-256 of the canonical JSON array of the five, in hex';

-- The triggers act with the rights of their table's owner, on the tables beside it in its schema: so writers of
-- spines need no right to write counts and history, and nobody gains by putting them on a table of their own.
-- Plans are made without sequential scans, since they are kept from a time when the tables were small.
CREATE FUNCTION @extschema@.proof_segment_links() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS 'MODULE_PATHNAME', 'auditspine_segment_links';
COMMENT ON FUNCTION @extschema@.proof_segment_links() IS
    'trigger: each new segment of a spine continues the one before';

CREATE FUNCTION @extschema@.proof_spine_count() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'auditspine_spine_count';
COMMENT ON FUNCTION @extschema@.proof_spine_count() IS
    'trigger: a new spine has no segments yet, whatever its row says';

CREATE FUNCTION @extschema@.proof_segment_count() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS 'MODULE_PATHNAME', 'auditspine_segment_count';
COMMENT ON FUNCTION @extschema@.proof_segment_count() IS
    'trigger: keeps segment_count of the spines whose segments come or go';

CREATE FUNCTION @extschema@.proof_spine_root() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS 'MODULE_PATHNAME', 'auditspine_spine_root';
COMMENT ON FUNCTION @extschema@.proof_spine_root() IS
    'trigger: root_hash is that of the segments, and spine_id that of the decision';

CREATE FUNCTION @extschema@.proof_spine_supersession() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS 'MODULE_PATHNAME', 'auditspine_spine_supersession';
COMMENT ON FUNCTION @extschema@.proof_spine_supersession() IS
    'trigger: a spine is superseded once, by one of the same decision, and never in a circle';

CREATE FUNCTION @extschema@.proof_spine_history() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_spine_history';
COMMENT ON FUNCTION @extschema@.proof_spine_history() IS
    'trigger: writes what became of a spine to proof_spine_history';

CREATE FUNCTION @extschema@.create_proof_spine_schema(schema text DEFAULT 'scanner') RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'create_proof_spine_schema_wrapper';
-- It audits the tables, as audit_attach() does.
REVOKE ALL ON FUNCTION @extschema@.create_proof_spine_schema(text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.create_proof_spine_schema(text) IS
    'creates the tables of ProofSpines, owned by the caller and audited; answers created or unchanged';

CREATE FUNCTION @extschema@.create_spine(
    artifact_id       text,
    vuln_id           text,
    policy_profile_id text,
    verdict           text,
    scan_run_id       text,
    segments          jsonb,
    verdict_reason    text DEFAULT NULL,
    schema            text DEFAULT 'scanner'
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 10000
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS 'MODULE_PATHNAME', 'create_spine_wrapper';
COMMENT ON FUNCTION @extschema@.create_spine(text, text, text, text, text, jsonb, text, text) IS
    'writes a spine with its segments, with the caller''s rights; supersedes the current one of that decision; answers its id';

-- 30-spine-verify.sql
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
