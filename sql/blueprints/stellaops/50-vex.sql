-- Who says of a component that a vulnerability matters to it, and what to make of it when they disagree.

CREATE TABLE @vex@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @vex@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

-- Members of an OpenVEX statement.
CREATE FUNCTION @vex@.vulnerability_of(statement jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN pg_catalog.jsonb_typeof(statement OPERATOR(pg_catalog.->) 'vulnerability'::pg_catalog.text) OPERATOR(pg_catalog.=) 'object'
            THEN statement OPERATOR(pg_catalog.#>>) '{vulnerability,name}'::pg_catalog.text[]
        WHEN pg_catalog.jsonb_typeof(statement OPERATOR(pg_catalog.->) 'vulnerability'::pg_catalog.text) OPERATOR(pg_catalog.=) 'string'
            THEN statement OPERATOR(pg_catalog.->>) 'vulnerability'::pg_catalog.text END
$$;
COMMENT ON FUNCTION @vex@.vulnerability_of(jsonb) IS 'the vulnerability that an OpenVEX statement is about';

CREATE FUNCTION @vex@.products_of(statement jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT array_agg(DISTINCT id COLLATE "C" ORDER BY id COLLATE "C")
    FROM (SELECT CASE jsonb_typeof(product) WHEN 'object' THEN product ->> '@id' WHEN 'string' THEN product #>> '{}' END AS id
          FROM jsonb_array_elements(CASE jsonb_typeof(statement -> 'products') WHEN 'array' THEN statement -> 'products' END) AS product) AS p
$$;
COMMENT ON FUNCTION @vex@.products_of(jsonb) IS 'the products that an OpenVEX statement is about, each once, in order';

CREATE TABLE @vex@.vex_raw (
    issuer           text COLLATE "C" NOT NULL CONSTRAINT vex_raw_issuer_check CHECK (issuer <> ''),
    statement_id     text COLLATE "C" NOT NULL CONSTRAINT vex_raw_statement_id_check CHECK (statement_id <> ''),
    revision         integer NOT NULL CONSTRAINT vex_raw_revision_check CHECK (revision > 0),
    document         jsonb NOT NULL CONSTRAINT vex_raw_document_check CHECK (jsonb_typeof(document) = 'object'),
    content_hash     text NOT NULL CONSTRAINT vex_raw_content_hash_check CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$'),
    vulnerability_id text COLLATE "C" NOT NULL GENERATED ALWAYS AS (@vex@.vulnerability_of(document)) STORED
                     CONSTRAINT vex_raw_vulnerability_id_check CHECK (vulnerability_id <> ''),
    products         text[] NOT NULL GENERATED ALWAYS AS (@vex@.products_of(document)) STORED
                     CONSTRAINT vex_raw_products_check CHECK (cardinality(products) > 0 AND array_position(products, NULL) IS NULL),
    status           text COLLATE "C" NOT NULL GENERATED ALWAYS AS (document ->> 'status') STORED
                     CONSTRAINT vex_raw_status_check CHECK (status IN ('not_affected', 'affected', 'fixed', 'under_investigation')),
    justification    text GENERATED ALWAYS AS (document ->> 'justification') STORED
                     CONSTRAINT vex_raw_justification_check CHECK (justification IN
                         ('component_not_present', 'vulnerable_code_not_present', 'vulnerable_code_not_in_execute_path',
                          'vulnerable_code_cannot_be_controlled_by_adversary', 'inline_mitigations_already_exist')),
    withdrawn        boolean GENERATED ALWAYS AS (document ? 'withdrawn') STORED,
    received_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, statement_id, revision),
    CONSTRAINT vex_raw_not_affected_says_why_check
        CHECK (status <> 'not_affected' OR document ->> 'justification' IS NOT NULL OR document ->> 'impact_statement' IS NOT NULL)
);
CREATE INDEX vex_raw_vulnerability_idx ON @vex@.vex_raw (vulnerability_id);
COMMENT ON TABLE @vex@.vex_raw IS 'VEX statements, word for word (OpenVEX); evidence, so append-only: a correction is a new revision';
COMMENT ON COLUMN @vex@.vex_raw.statement_id IS 'the issuer''s own id';
COMMENT ON COLUMN @vex@.vex_raw.revision IS '1, 2, 3 … of a statement of an issuer, without a gap; the largest counts. Null when inserted: the next';
COMMENT ON COLUMN @vex@.vex_raw.content_hash IS 'digest of the document''s canonical JSON, sha256: and 64 hex; null when inserted: filled';
COMMENT ON COLUMN @vex@.vex_raw.vulnerability_id IS 'read from the document, as are the following';
COMMENT ON COLUMN @vex@.vex_raw.products IS 'components that the statement is about';
COMMENT ON COLUMN @vex@.vex_raw.status IS 'not_affected (says why), affected, fixed or under_investigation';
COMMENT ON COLUMN @vex@.vex_raw.withdrawn IS 'whether the document says that the statement was withdrawn; then it is not heard any more';

CREATE FUNCTION @vex@.statement_revision() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    latest integer := coalesce((SELECT max(r.revision) FROM @vex@.vex_raw AS r
                                WHERE r.issuer = NEW.issuer AND r.statement_id = NEW.statement_id), 0);
BEGIN
    NEW.content_hash := @authority@.expect_digest(NEW.content_hash, NEW.document, '@vex@.vex_raw.content_hash');
    NEW.revision := coalesce(NEW.revision, latest + 1);
    -- One that is there already is left to the primary key, for which others wait.
    IF NEW.revision > latest + 1 THEN
        RAISE EXCEPTION 'revision % of statement % of % would leave a gap: the latest is %', NEW.revision, NEW.statement_id, NEW.issuer, latest
            USING ERRCODE = 'check_violation', HINT = 'leave the revision null to have the next one';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @vex@.statement_revision() IS 'trigger: a statement''s revisions have no gap, and its hash is that of its content';
CREATE TRIGGER statement_revision BEFORE INSERT ON @vex@.vex_raw
    FOR EACH ROW EXECUTE FUNCTION @vex@.statement_revision();

CREATE FUNCTION @vex@.add_statement(issuer text, document jsonb, statement_id text DEFAULT NULL)
    RETURNS TABLE (id text, revision integer, added boolean)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    hash   text := @authority@.digest(add_statement.document);
    latest @vex@.vex_raw;
BEGIN
    -- A statement without an id is known by what it is about.
    id := coalesce(add_statement.statement_id, add_statement.document ->> '@id',
                   @authority@.digest(jsonb_build_array(@vex@.vulnerability_of(document), @vex@.products_of(document))));
    LOOP
        SELECT * INTO latest FROM @vex@.vex_raw AS r
        WHERE r.issuer = add_statement.issuer AND r.statement_id = id ORDER BY r.revision DESC LIMIT 1;
        IF latest.content_hash = hash THEN
            revision := latest.revision;
            added := false;
            RETURN NEXT;
            RETURN;
        END IF;
        -- Of two who come at the same time, one waits here for the other, and then looks again.
        revision := coalesce(latest.revision, 0) + 1;
        INSERT INTO @vex@.vex_raw AS r (issuer, statement_id, revision, document, content_hash)
        VALUES (add_statement.issuer, id, add_statement.revision, add_statement.document, hash)
        ON CONFLICT ON CONSTRAINT vex_raw_pkey DO NOTHING;
        IF FOUND THEN
            added := true;
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION @vex@.add_statement(text, jsonb, text) IS
    'adds a statement, or its next revision; none (added is false) if the content is that of the latest revision. The id is the one given, or the document''s @id, or a digest of what it is about';

CREATE TABLE @vex@.issuer_trust (
    issuer     text COLLATE "C" PRIMARY KEY,
    priority   integer NOT NULL CONSTRAINT issuer_trust_priority_check CHECK (priority > 0),
    score      numeric(3,2) NOT NULL CONSTRAINT issuer_trust_score_check CHECK (score BETWEEN 0.00 AND 1.00),
    key_id     text COLLATE "C" REFERENCES @authority@.keys,
    reason     text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @vex@.issuer_trust IS 'issuers that are heard, and how much their word weighs; the others are not heard';
COMMENT ON COLUMN @vex@.issuer_trust.priority IS '1 is asked first; those of a larger number only where nobody of a smaller one has spoken';
COMMENT ON COLUMN @vex@.issuer_trust.score IS '0.00 to 1.00: weight among issuers of the same priority; 0.00: not heard';
COMMENT ON COLUMN @vex@.issuer_trust.key_id IS 'key the issuer signs with, if it does';
COMMENT ON COLUMN @vex@.issuer_trust.reason IS 'why it is trusted so far';

CREATE TABLE @vex@.consensus (
    component         text COLLATE "C" NOT NULL,
    vulnerability_id  text COLLATE "C" NOT NULL,
    status            text COLLATE "C" NOT NULL
                      CONSTRAINT consensus_status_check CHECK (status IN ('not_affected', 'affected', 'fixed', 'under_investigation')),
    deciding_priority integer NOT NULL CONSTRAINT consensus_deciding_priority_check CHECK (deciding_priority > 0),
    weight            numeric NOT NULL CONSTRAINT consensus_weight_check CHECK (weight > 0),
    conflict          boolean NOT NULL,
    disagreement      boolean NOT NULL,
    statements        jsonb NOT NULL
                      CONSTRAINT consensus_statements_check CHECK (jsonb_typeof(statements) = 'array' AND statements <> '[]'),
    inputs_hash       text NOT NULL CONSTRAINT consensus_inputs_hash_check CHECK (inputs_hash ~ '^sha256:[0-9a-f]{64}$'),
    computed_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (component, vulnerability_id),
    CONSTRAINT consensus_conflict_is_disagreement_check CHECK (disagreement OR NOT conflict)
);
CREATE INDEX consensus_vulnerability_idx ON @vex@.consensus (vulnerability_id);
CREATE INDEX consensus_conflict_idx ON @vex@.consensus (vulnerability_id) WHERE conflict;
COMMENT ON TABLE @vex@.consensus IS 'what the statements of trusted issuers come to; written by recompute_consensus()';
COMMENT ON COLUMN @vex@.consensus.status IS 'not_affected, affected, fixed or under_investigation';
COMMENT ON COLUMN @vex@.consensus.deciding_priority IS 'the smallest priority number of an issuer that was heard: those decided';
COMMENT ON COLUMN @vex@.consensus.weight IS 'sum of the scores of the issuers that decided so, each counted once';
COMMENT ON COLUMN @vex@.consensus.conflict IS 'whether statements at the deciding priority disagree';
COMMENT ON COLUMN @vex@.consensus.disagreement IS 'whether any statements that were heard disagree';
COMMENT ON COLUMN @vex@.consensus.statements IS 'all that were heard, in order: issuer, statement, revision, status, priority, score, content_hash, and part: decides (it contributed), outvoted, or not_asked (of a later priority)';
COMMENT ON COLUMN @vex@.consensus.inputs_hash IS 'digest of component, vulnerability and statements: two runs agree if these do';
COMMENT ON COLUMN @vex@.consensus.computed_at IS 'when it was computed last; not audited';

-- Newest revision of each statement; those not withdrawn, on this component, of issuers with a score. The smallest
-- priority decides: per status the issuers' scores, each once; on a tie the more cautious status. Everything is put in
-- an order that is total and of collation "C", so that neither plan nor order of arrival shows.
CREATE FUNCTION @vex@.consensus_of(component text, vulnerability text) RETURNS SETOF @vex@.consensus
    LANGUAGE plpgsql STABLE ROWS 1
    -- The plan is kept, maybe from a time when the tables were small.
    SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
    AS $$
BEGIN
    RETURN QUERY WITH newest AS (
        SELECT DISTINCT ON (r.issuer, r.statement_id) r.*
        FROM @vex@.vex_raw AS r
        WHERE (r.issuer, r.statement_id) IN (SELECT m.issuer, m.statement_id FROM @vex@.vex_raw AS m
                                             WHERE m.vulnerability_id = vulnerability AND m.products @> ARRAY[consensus_of.component])
        ORDER BY r.issuer, r.statement_id, r.revision DESC
    ), heard AS (
        SELECT n.issuer, n.statement_id, n.revision, n.status, n.content_hash, t.priority, t.score,
               t.priority = min(t.priority) OVER () AS asked
        FROM newest AS n JOIN @vex@.issuer_trust AS t USING (issuer)
        -- A newer revision may be about something else.
        WHERE n.vulnerability_id = vulnerability AND n.products @> ARRAY[consensus_of.component] AND NOT n.withdrawn AND t.score > 0
    ), decided AS (
        SELECT v.status, sum(v.score) AS weight
        FROM (SELECT DISTINCT h.issuer, h.status, h.score FROM heard AS h WHERE h.asked) AS v
        GROUP BY v.status
        ORDER BY weight DESC, array_position('{affected,under_investigation,fixed,not_affected}', v.status::text)
        LIMIT 1
    ), told AS (
        SELECT min(h.priority) AS priority,
               count(DISTINCT h.status) FILTER (WHERE h.asked) > 1 AS conflict, count(DISTINCT h.status) > 1 AS disagreement,
               jsonb_agg(jsonb_build_object(
                   'issuer', h.issuer, 'statement', h.statement_id, 'revision', h.revision, 'status', h.status,
                   'priority', h.priority, 'score', h.score, 'content_hash', h.content_hash,
                   'part', CASE WHEN NOT h.asked THEN 'not_asked' WHEN h.status = d.status THEN 'decides' ELSE 'outvoted' END)
                   ORDER BY h.priority, h.score DESC, h.issuer, h.statement_id) AS statements
        FROM heard AS h CROSS JOIN decided AS d
    )
    SELECT consensus_of.component, vulnerability, d.status, t.priority, d.weight, t.conflict, t.disagreement, t.statements,
           @authority@.digest(jsonb_build_array(consensus_of.component, vulnerability, t.statements)), now()
    FROM decided AS d CROSS JOIN told AS t;
END $$;
COMMENT ON FUNCTION @vex@.consensus_of(text, text) IS
    'what the statements on a component and a vulnerability come to now, without writing it; no row if none is heard';

CREATE FUNCTION @vex@.recompute_consensus(component text, vulnerability text) RETURNS @vex@.consensus
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    is_there boolean;
    answer   @vex@.consensus;
BEGIN
    LOOP
        -- Locked before statements are read: who computes last has seen all that was there before.
        PERFORM FROM @vex@.consensus AS c
        WHERE c.component = recompute_consensus.component AND c.vulnerability_id = vulnerability FOR UPDATE;
        is_there := FOUND;
        SELECT * INTO answer FROM @vex@.consensus_of(recompute_consensus.component, vulnerability);
        IF NOT FOUND THEN
            DELETE FROM @vex@.consensus AS c
            WHERE is_there AND c.component = recompute_consensus.component AND c.vulnerability_id = vulnerability;
            RETURN NULL;
        ELSIF is_there THEN
            UPDATE @vex@.consensus AS c
            SET status = answer.status, deciding_priority = answer.deciding_priority, weight = answer.weight,
                conflict = answer.conflict, disagreement = answer.disagreement, statements = answer.statements,
                inputs_hash = answer.inputs_hash, computed_at = answer.computed_at
            WHERE c.component = recompute_consensus.component AND c.vulnerability_id = vulnerability;
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
    SELECT c.component, c.vulnerability_id, s.place, s.said ->> 'part' AS part, s.said ->> 'issuer' AS issuer,
           s.said ->> 'statement' AS statement_id, (s.said ->> 'revision')::integer AS revision, s.said ->> 'status' AS status,
           (s.said ->> 'priority')::integer AS priority, (s.said ->> 'score')::numeric(3,2) AS score
    FROM @vex@.consensus AS c CROSS JOIN LATERAL jsonb_array_elements(c.statements) WITH ORDINALITY AS s (said, place);
COMMENT ON VIEW @vex@.consensus_statement IS 'the statements behind each consensus, one row each; part: decides, outvoted or not_asked';

-- The payload too: what an issuer said once may be nowhere else, and decides whether a finding counts.
SELECT @verbs@.audit_attach('@vex@.vex_raw', kind => '@vex@.vex_raw', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@vex@.issuer_trust', kind => '@vex@.issuer_trust', payload => 'full', exclude => '{updated_at}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@vex@.consensus', kind => '@vex@.consensus', payload => 'full', exclude => '{computed_at}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@vex@.schema_migrations', kind => '@vex@.schema_migrations', payload => 'full', append_only => true);

SELECT @authority@.record_migration('@vex@', '1', 'tables of blueprint stellaops', @authority@.schema_checksum('@vex@'));
