-- What the statements of those who are trusted come to.

CREATE TABLE @vex@.issuer_trust (
    issuer_id   varchar(255) COLLATE "C" PRIMARY KEY,
    trust_score numeric(3,2) CONSTRAINT issuer_trust_trust_score_check CHECK (trust_score BETWEEN 0.00 AND 1.00),
    priority    integer,
    issuer_type varchar(50) CONSTRAINT issuer_trust_issuer_type_check CHECK (issuer_type IN ('vendor', 'distro', 'researcher', 'community')),
    updated_at  timestamptz DEFAULT now(),
    key_id      uuid REFERENCES @authority@.keys,
    reason      text NOT NULL DEFAULT ''
);
COMMENT ON TABLE @vex@.issuer_trust IS 'issuers that are heard, and how much their word weighs; the others are not heard';
COMMENT ON COLUMN @vex@.issuer_trust.trust_score IS '0.00 to 1.00: weight among issuers of the same priority; 0.00 or null: not heard';
COMMENT ON COLUMN @vex@.issuer_trust.priority IS 'the smallest is asked first; those of a larger number, and after them those of none, only where nobody before has spoken';
COMMENT ON COLUMN @vex@.issuer_trust.issuer_type IS 'vendor, distro, researcher or community';
COMMENT ON COLUMN @vex@.issuer_trust.updated_at IS 'working state, not audited';
COMMENT ON COLUMN @vex@.issuer_trust.key_id IS 'key the issuer signs with, if it does';
COMMENT ON COLUMN @vex@.issuer_trust.reason IS 'why it is trusted so far';

CREATE TABLE @vex@.consensus (
    consensus_id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    component_purl       text COLLATE "C",
    vulnerability_id     varchar(100) COLLATE "C",
    resolved_status      varchar(50) COLLATE "C"
                         CONSTRAINT consensus_resolved_status_check CHECK (resolved_status IN ('not_affected', 'affected', 'fixed', 'under_investigation')),
    conflict_detected    boolean,
    contributing_vex_ids uuid[],
    computed_at          timestamptz DEFAULT now(),
    deciding_priority    integer,
    weight               numeric CONSTRAINT consensus_weight_check CHECK (weight > 0),
    disagreement         boolean,
    statements           jsonb CONSTRAINT consensus_statements_check CHECK (jsonb_typeof(statements) = 'array' AND statements <> '[]'),
    inputs_hash          text CONSTRAINT consensus_inputs_hash_check CHECK (inputs_hash ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT consensus_conflict_is_disagreement_check CHECK (disagreement OR NOT conflict_detected)
);
CREATE INDEX consensus_component_idx ON @vex@.consensus (component_purl, vulnerability_id);
CREATE INDEX consensus_vulnerability_idx ON @vex@.consensus (vulnerability_id);
CREATE INDEX consensus_conflict_idx ON @vex@.consensus (vulnerability_id) WHERE conflict_detected;
COMMENT ON TABLE @vex@.consensus IS 'what the statements of trusted issuers come to; written by recompute_consensus(), which has one row for each component and vulnerability';
COMMENT ON COLUMN @vex@.consensus.consensus_id IS 'consensus_id(component, vulnerability), if recompute_consensus() has written it';
COMMENT ON COLUMN @vex@.consensus.resolved_status IS 'not_affected, affected, fixed or under_investigation';
COMMENT ON COLUMN @vex@.consensus.conflict_detected IS 'whether statements at the deciding priority disagree';
COMMENT ON COLUMN @vex@.consensus.contributing_vex_ids IS 'rows of vex_raw that decided so, in order; those that were outvoted are in statements';
COMMENT ON COLUMN @vex@.consensus.computed_at IS 'when it was computed last; not audited';
COMMENT ON COLUMN @vex@.consensus.deciding_priority IS 'the smallest priority number of an issuer that was heard: those decided';
COMMENT ON COLUMN @vex@.consensus.weight IS 'sum of the scores of the issuers that decided so, each counted once';
COMMENT ON COLUMN @vex@.consensus.disagreement IS 'whether any statements that were heard disagree';
COMMENT ON COLUMN @vex@.consensus.statements IS 'all that were heard, in order: issuer_id, statement_id, revision, status, priority, trust_score, content_hash, and part: decides (it contributed), outvoted, or not_asked (of a later priority)';
COMMENT ON COLUMN @vex@.consensus.inputs_hash IS 'digest of component, vulnerability and statements: two runs agree if these do';

-- From the pair alone, so that of two who compute it one waits for the other, at the primary key.
CREATE FUNCTION @vex@.consensus_id(component_purl text, vulnerability_id text) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT encode(set_byte(set_byte(hash, 6, 128 | (get_byte(hash, 6) & 15)), 8, 128 | (get_byte(hash, 8) & 63)), 'hex')::uuid
    FROM (SELECT substring(@verbs@.canonical_json_hash(jsonb_build_array(component_purl, vulnerability_id)) FOR 16) AS hash) AS h
$$;
COMMENT ON FUNCTION @vex@.consensus_id(text, text) IS
    'the id of the consensus on a component and a vulnerability: the first 16 bytes of a SHA-256, as a UUID of version 8';

-- Newest revision of each statement; those not withdrawn, on this component, of issuers with a score. The smallest
-- priority decides: per status the issuers' scores, each once; on a tie the more cautious status. Everything is put in
-- an order that is total and of collation "C", so that neither plan nor order of arrival shows.
CREATE FUNCTION @vex@.consensus_of(component_purl text, vulnerability_id text) RETURNS SETOF @vex@.consensus
    LANGUAGE plpgsql STABLE ROWS 1
    -- The plan is kept, maybe from a time when the tables were small.
    SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH spoken AS (
        SELECT DISTINCT m.issuer_id, m.statement_id
        FROM @vex@.vex_raw AS m
        WHERE m.vulnerability_id = consensus_of.vulnerability_id AND m.component_purl = consensus_of.component_purl
    ), newest AS (
        SELECT r.*
        FROM spoken AS s
        CROSS JOIN LATERAL (SELECT max(l.statement_revision) AS revision FROM @vex@.vex_raw AS l
                            WHERE l.issuer_id = s.issuer_id AND l.statement_id = s.statement_id) AS latest
        JOIN @vex@.vex_raw AS r ON r.issuer_id = s.issuer_id AND r.statement_id = s.statement_id AND r.statement_revision = latest.revision
    ), heard AS (
        SELECT n.raw_id, n.issuer_id, n.statement_id, n.statement_revision AS revision, n.product_no, n.status, n.content_hash, t.priority, t.trust_score,
               t.priority IS NOT DISTINCT FROM min(t.priority) OVER () AS asked
        FROM newest AS n JOIN @vex@.issuer_trust AS t ON t.issuer_id = n.issuer_id
        -- A newer revision may be about something else.
        WHERE n.vulnerability_id = consensus_of.vulnerability_id AND n.component_purl = consensus_of.component_purl
          AND n.status IS NOT NULL AND NOT n.withdrawn AND t.trust_score > 0
    ), decided AS (
        SELECT v.status, sum(v.trust_score) AS weight
        FROM (SELECT DISTINCT h.issuer_id, h.status, h.trust_score FROM heard AS h WHERE h.asked) AS v
        GROUP BY v.status
        ORDER BY weight DESC, array_position('{affected,under_investigation,fixed,not_affected}', v.status::text)
        LIMIT 1
    ), told AS (
        SELECT min(h.priority) AS priority,
               count(DISTINCT h.status) FILTER (WHERE h.asked) > 1 AS conflict, count(DISTINCT h.status) > 1 AS disagreement,
               array_agg(h.raw_id ORDER BY h.trust_score DESC, h.issuer_id, h.statement_id, h.product_no)
                   FILTER (WHERE h.asked AND h.status = d.status) AS contributing,
               jsonb_agg(jsonb_build_object(
                   'issuer_id', h.issuer_id, 'statement_id', h.statement_id, 'revision', h.revision, 'status', h.status,
                   'priority', h.priority, 'trust_score', h.trust_score, 'content_hash', h.content_hash,
                   'part', CASE WHEN NOT h.asked THEN 'not_asked' WHEN h.status = d.status THEN 'decides' ELSE 'outvoted' END)
                   ORDER BY h.priority, h.trust_score DESC, h.issuer_id, h.statement_id, h.product_no) AS statements
        FROM heard AS h CROSS JOIN decided AS d
    )
    SELECT @vex@.consensus_id(consensus_of.component_purl, consensus_of.vulnerability_id), consensus_of.component_purl,
           consensus_of.vulnerability_id::varchar(100), d.status, t.conflict, t.contributing, now(), t.priority, d.weight, t.disagreement, t.statements,
           'sha256:' || encode(@verbs@.canonical_json_hash(
               jsonb_build_array(consensus_of.component_purl, consensus_of.vulnerability_id, t.statements)), 'hex')
    FROM decided AS d CROSS JOIN told AS t;
END $$;
COMMENT ON FUNCTION @vex@.consensus_of(text, text) IS
    'what the statements on a component and a vulnerability come to now, without writing it; no row if none is heard';

CREATE FUNCTION @vex@.recompute_consensus(component_purl text, vulnerability_id text) RETURNS @vex@.consensus
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    id       constant uuid := @vex@.consensus_id(recompute_consensus.component_purl, recompute_consensus.vulnerability_id);
    is_there boolean;
    answer   @vex@.consensus;
BEGIN
    LOOP
        -- Locked before statements are read: who computes last has seen all that was there before.
        PERFORM FROM @vex@.consensus AS c WHERE c.consensus_id = id FOR UPDATE;
        is_there := FOUND;
        SELECT * INTO answer FROM @vex@.consensus_of(recompute_consensus.component_purl, recompute_consensus.vulnerability_id);
        IF NOT FOUND THEN
            DELETE FROM @vex@.consensus AS c WHERE is_there AND c.consensus_id = id;
            RETURN NULL;
        ELSIF is_there THEN
            UPDATE @vex@.consensus AS c
            SET component_purl = answer.component_purl, vulnerability_id = answer.vulnerability_id,
                resolved_status = answer.resolved_status, conflict_detected = answer.conflict_detected,
                contributing_vex_ids = answer.contributing_vex_ids, computed_at = answer.computed_at,
                deciding_priority = answer.deciding_priority, weight = answer.weight, disagreement = answer.disagreement,
                statements = answer.statements, inputs_hash = answer.inputs_hash
            WHERE c.consensus_id = id;
            RETURN answer;
        END IF;
        -- Of two who come at the same time, one waits here for the other, and then computes anew.
        INSERT INTO @vex@.consensus AS c VALUES (answer.*) ON CONFLICT ON CONSTRAINT consensus_pkey DO NOTHING;
        IF FOUND THEN
            RETURN answer;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION @vex@.recompute_consensus(text, text) IS
    'computes and stores what the statements on a component and a vulnerability come to; null, and no row, if none is heard';

CREATE VIEW @vex@.consensus_statement AS
    SELECT c.component_purl, c.vulnerability_id, s.place, s.said ->> 'part' AS part, s.said ->> 'issuer_id' AS issuer_id,
           s.said ->> 'statement_id' AS statement_id, (s.said ->> 'revision')::integer AS revision, s.said ->> 'status' AS status,
           (s.said ->> 'priority')::integer AS priority, (s.said ->> 'trust_score')::numeric(3,2) AS trust_score
    FROM @vex@.consensus AS c CROSS JOIN LATERAL jsonb_array_elements(c.statements) WITH ORDINALITY AS s (said, place);
COMMENT ON VIEW @vex@.consensus_statement IS 'the statements behind each consensus, one row each; part: decides, outvoted or not_asked';

-- The payload too: what an issuer said once may be nowhere else, and decides whether a finding counts.
SELECT @verbs@.audit_attach('@vex@.vex_raw', kind => '@vex@.vex_raw', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@vex@.issuer_trust', kind => '@vex@.issuer_trust', payload => 'full', exclude => '{updated_at}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@vex@.consensus', kind => '@vex@.consensus', payload => 'full', exclude => '{computed_at}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@vex@.schema_migrations', kind => '@vex@.schema_migrations', payload => 'full', append_only => true);

SELECT @authority@.record_migration('@vex@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@vex@'));
