-- Advisories as their sources publish them, and what is read from them.

CREATE TABLE @vuln@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @vuln@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @vuln@.advisory_raw (
    advisory_id  text COLLATE "C" NOT NULL CONSTRAINT advisory_raw_advisory_id_check CHECK (advisory_id <> ''),
    source       text COLLATE "C" NOT NULL CONSTRAINT advisory_raw_source_check CHECK (source ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    revision     integer NOT NULL CONSTRAINT advisory_raw_revision_check CHECK (revision > 0),
    document     jsonb NOT NULL CONSTRAINT advisory_raw_document_check CHECK (jsonb_typeof(document) = 'object'),
    content_hash text NOT NULL CONSTRAINT advisory_raw_content_hash_check CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$'),
    withdrawn    boolean GENERATED ALWAYS AS (document ? 'withdrawn') STORED,
    fetched_from text,
    fetched_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (advisory_id, source, revision)
);
COMMENT ON TABLE @vuln@.advisory_raw IS 'advisories, word for word; evidence, so append-only: a correction is a new revision';
COMMENT ON COLUMN @vuln@.advisory_raw.advisory_id IS 'the source''s own id, such as GO-2020-0001';
COMMENT ON COLUMN @vuln@.advisory_raw.source IS 'who publishes it, such as osv';
COMMENT ON COLUMN @vuln@.advisory_raw.revision IS '1, 2, 3 … of an advisory of a source, without a gap; the largest counts. Null when inserted: the next';
COMMENT ON COLUMN @vuln@.advisory_raw.content_hash IS 'digest of the document''s canonical JSON, sha256: and 64 hex; null when inserted: filled';
COMMENT ON COLUMN @vuln@.advisory_raw.withdrawn IS 'whether the document says that the advisory was withdrawn';
COMMENT ON COLUMN @vuln@.advisory_raw.fetched_from IS 'address it was fetched from';

CREATE FUNCTION @vuln@.advisory_revision() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    latest integer := coalesce((SELECT max(a.revision) FROM @vuln@.advisory_raw AS a
                                WHERE a.advisory_id = NEW.advisory_id AND a.source = NEW.source), 0);
BEGIN
    NEW.content_hash := @authority@.expect_digest(NEW.content_hash, NEW.document, '@vuln@.advisory_raw.content_hash');
    NEW.revision := coalesce(NEW.revision, latest + 1);
    -- One that is there already is left to the primary key, for which others wait.
    IF NEW.revision > latest + 1 THEN
        RAISE EXCEPTION 'revision % of advisory % of % would leave a gap: the latest is %', NEW.revision, NEW.advisory_id, NEW.source, latest
            USING ERRCODE = 'check_violation', HINT = 'leave the revision null to have the next one';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @vuln@.advisory_revision() IS 'trigger: an advisory''s revisions have no gap, and its hash is that of its content';
CREATE TRIGGER advisory_revision BEFORE INSERT ON @vuln@.advisory_raw
    FOR EACH ROW EXECUTE FUNCTION @vuln@.advisory_revision();

CREATE FUNCTION @vuln@.add_advisory(source text, document jsonb, advisory_id text DEFAULT NULL, fetched_from text DEFAULT NULL)
    RETURNS TABLE (revision integer, added boolean)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    id     text := coalesce(add_advisory.advisory_id, add_advisory.document ->> 'id');
    hash   text := @authority@.digest(add_advisory.document);
    latest @vuln@.advisory_raw;
BEGIN
    IF id IS NULL THEN
        RAISE EXCEPTION 'the advisory has no id' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'pass a document with member id, or the id as advisory_id';
    END IF;
    LOOP
        SELECT * INTO latest FROM @vuln@.advisory_raw AS a
        WHERE a.advisory_id = id AND a.source = add_advisory.source ORDER BY a.revision DESC LIMIT 1;
        IF latest.content_hash = hash THEN
            RETURN QUERY SELECT latest.revision, false;
            RETURN;
        END IF;
        -- Of two who come at the same time, one waits here for the other, and then looks again.
        revision := coalesce(latest.revision, 0) + 1;
        INSERT INTO @vuln@.advisory_raw AS a (advisory_id, source, revision, document, content_hash, fetched_from)
        VALUES (id, add_advisory.source, add_advisory.revision, add_advisory.document, hash, add_advisory.fetched_from)
        ON CONFLICT ON CONSTRAINT advisory_raw_pkey DO NOTHING;
        IF FOUND THEN
            added := true;
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION @vuln@.add_advisory(text, jsonb, text, text) IS
    'adds an advisory, or its next revision; none (added is false) if the content is that of the latest revision. The id is the document''s unless it is given';

CREATE VIEW @vuln@.advisory AS
    SELECT DISTINCT ON (a.advisory_id, a.source) a.*
    FROM @vuln@.advisory_raw AS a ORDER BY a.advisory_id, a.source, a.revision DESC;
COMMENT ON VIEW @vuln@.advisory IS 'the latest revision of each advisory';

CREATE TABLE @vuln@.linksets (
    linkset_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vulnerability_id text COLLATE "C" NOT NULL CONSTRAINT linksets_vulnerability_id_key UNIQUE
                     CONSTRAINT linksets_vulnerability_id_check CHECK (vulnerability_id <> ''),
    aliases          text[] NOT NULL DEFAULT '{}',
    conflicts        jsonb NOT NULL DEFAULT '[]' CONSTRAINT linksets_conflicts_check CHECK (jsonb_typeof(conflicts) = 'array'),
    updated_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @vuln@.linksets IS 'vulnerabilities, each with what links the advisories on it';
COMMENT ON COLUMN @vuln@.linksets.vulnerability_id IS 'the name chosen for it: the CVE if there is one';
COMMENT ON COLUMN @vuln@.linksets.aliases IS 'its other names';
COMMENT ON COLUMN @vuln@.linksets.conflicts IS 'in what the advisories contradict each other';
COMMENT ON COLUMN @vuln@.linksets.updated_at IS 'working state, not audited';

CREATE TABLE @vuln@.observations (
    observation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    linkset_id     bigint NOT NULL REFERENCES @vuln@.linksets,
    advisory_id    text COLLATE "C" NOT NULL,
    source         text COLLATE "C" NOT NULL,
    revision       integer NOT NULL,
    component      text COLLATE "C" NOT NULL CONSTRAINT observations_component_check CHECK (component ~ '^pkg:[a-z]'),
    introduced     text NOT NULL DEFAULT '0',
    fixed          text,
    severity       text NOT NULL DEFAULT 'unknown'
                   CONSTRAINT observations_severity_check CHECK (severity IN ('critical', 'high', 'medium', 'low', 'none', 'unknown')),
    observed_at    timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (advisory_id, source, revision) REFERENCES @vuln@.advisory_raw,
    CONSTRAINT observations_key UNIQUE (advisory_id, source, revision, component, introduced)
);
CREATE INDEX observations_linkset_idx ON @vuln@.observations (linkset_id);
CREATE INDEX observations_component_idx ON @vuln@.observations (component);
COMMENT ON TABLE @vuln@.observations IS 'what one revision of an advisory says of one component';
COMMENT ON COLUMN @vuln@.observations.component IS 'package URL without version';
COMMENT ON COLUMN @vuln@.observations.introduced IS 'first version that is affected; 0: all from the beginning';
COMMENT ON COLUMN @vuln@.observations.fixed IS 'first version that is not any more';
COMMENT ON COLUMN @vuln@.observations.severity IS 'critical, high, medium, low, none or unknown';

-- Hash only: a row cannot change, so its content is the row; and a document of that size can be fetched again from its
-- source, where content_hash tells which is the one.
SELECT @verbs@.audit_attach('@vuln@.advisory_raw', kind => '@vuln@.advisory_raw', append_only => true);
SELECT @verbs@.audit_attach('@vuln@.schema_migrations', kind => '@vuln@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@vuln@.linksets', kind => '@vuln@.linksets', payload => 'full', exclude => '{updated_at}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@vuln@.observations', kind => '@vuln@.observations');

SELECT @authority@.record_migration('@vuln@', '1', 'tables of blueprint stellaops', @authority@.schema_checksum('@vuln@'));
