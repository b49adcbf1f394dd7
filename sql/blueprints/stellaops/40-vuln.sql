-- Advisories as their sources publish them, and what is read from them.

CREATE TABLE @vuln@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @vuln@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @vuln@.advisory_raw (
    raw_id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    advisory_id  varchar(100) COLLATE "C",
    source       varchar(50) COLLATE "C" CONSTRAINT advisory_raw_source_check CHECK (source ~ '^[A-Z0-9][A-Z0-9_]*$'),
    raw_document jsonb NOT NULL,
    published_at timestamptz,
    revision     integer,
    created_at   timestamptz DEFAULT now(),
    content_hash text CONSTRAINT advisory_raw_content_hash_check CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$'),
    withdrawn    boolean GENERATED ALWAYS AS (raw_document ->> 'withdrawn' IS NOT NULL) STORED,
    fetched_from text,
    CONSTRAINT advisory_raw_advisory_id_source_revision_key UNIQUE (advisory_id, source, revision)
);
COMMENT ON TABLE @vuln@.advisory_raw IS 'advisories, word for word; evidence, so append-only: a correction is a new revision';
COMMENT ON COLUMN @vuln@.advisory_raw.advisory_id IS 'the source''s own id, such as CVE-2024-0001 or GO-2020-0001';
COMMENT ON COLUMN @vuln@.advisory_raw.source IS 'who publishes it: NVD, RED_HAT, OSV, GHSA, or another name of capitals, digits and underscores';
COMMENT ON COLUMN @vuln@.advisory_raw.revision IS 'of an advisory of a source; the largest counts. Null when inserted: the next';
COMMENT ON COLUMN @vuln@.advisory_raw.created_at IS 'when it came here';
COMMENT ON COLUMN @vuln@.advisory_raw.content_hash IS 'digest of the document''s canonical JSON, sha256: and 64 hex; null when inserted: filled';
COMMENT ON COLUMN @vuln@.advisory_raw.withdrawn IS 'whether the document says that the advisory was withdrawn';
COMMENT ON COLUMN @vuln@.advisory_raw.fetched_from IS 'address it was fetched from';

CREATE FUNCTION @vuln@.advisory_revision() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Worked out here: an importer of advisories has no business in another module's schema.
    expected constant text := 'sha256:' || encode(@verbs@.canonical_json_hash(NEW.raw_document), 'hex');
BEGIN
    IF NEW.content_hash <> expected THEN
        RAISE EXCEPTION '@vuln@.advisory_raw.content_hash % is not that of the content, which is %', NEW.content_hash, expected
            USING ERRCODE = 'check_violation',
                  HINT = 'leave it null to have it filled; if it was given by somebody else, the content is not what they sent';
    END IF;
    NEW.content_hash := expected;
    IF NEW.revision IS NULL AND NEW.advisory_id IS NOT NULL AND NEW.source IS NOT NULL THEN
        NEW.revision := coalesce((SELECT max(a.revision) FROM @vuln@.advisory_raw AS a
                                  WHERE a.advisory_id = NEW.advisory_id AND a.source = NEW.source), 0) + 1;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @vuln@.advisory_revision() IS 'trigger: an advisory without a revision gets the next one, and its hash is that of its content';
CREATE TRIGGER advisory_revision BEFORE INSERT ON @vuln@.advisory_raw
    FOR EACH ROW EXECUTE FUNCTION @vuln@.advisory_revision();

-- Where NVD (API 2.0), Red Hat (CSAF), GHSA (REST) and OSV have the id and the time.
CREATE FUNCTION @vuln@.advisory_id_of(raw_document jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(raw_document ->> 'id', raw_document #>> '{cve,id}', raw_document #>> '{document,tracking,id}', raw_document ->> 'ghsa_id')
$$;
COMMENT ON FUNCTION @vuln@.advisory_id_of(jsonb) IS 'the id that an advisory has in the form of OSV, NVD, CSAF or GHSA; null if it is in none of these';

CREATE FUNCTION @vuln@.published_at_of(raw_document jsonb) RETURNS timestamptz
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
    -- NVD's times name no zone, and are in UTC.
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
    AS $$
DECLARE
    told constant text := coalesce(raw_document ->> 'published', raw_document #>> '{cve,published}',
                                   raw_document #>> '{document,tracking,initial_release_date}', raw_document ->> 'published_at');
BEGIN
    -- Other forms than those of ISO 8601 could mean another day elsewhere, or be relative to now.
    RETURN CASE WHEN told ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d' THEN told::timestamptz END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION @vuln@.published_at_of(jsonb) IS 'when an advisory was published, if it says so in the form of OSV, NVD, CSAF or GHSA';

CREATE FUNCTION @vuln@.add_advisory(source text, raw_document jsonb, advisory_id text DEFAULT NULL, published_at timestamptz DEFAULT NULL,
                                    fetched_from text DEFAULT NULL)
    RETURNS TABLE (raw_id uuid, revision integer, added boolean)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    id     constant text := coalesce(add_advisory.advisory_id, @vuln@.advisory_id_of(add_advisory.raw_document));
    hash   constant text := 'sha256:' || encode(@verbs@.canonical_json_hash(add_advisory.raw_document), 'hex');
    latest @vuln@.advisory_raw;
BEGIN
    IF id IS NULL THEN
        RAISE EXCEPTION 'the advisory has no id' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'pass a document with member id, or the id as advisory_id';
    END IF;
    -- Without a source there is nothing that it could be a revision of.
    IF add_advisory.source IS NULL THEN
        RAISE EXCEPTION 'the advisory has no source' USING ERRCODE = 'invalid_parameter_value', HINT = 'pass who publishes it, such as OSV';
    END IF;
    LOOP
        SELECT a.* INTO latest FROM @vuln@.advisory_raw AS a
        WHERE a.advisory_id = id AND a.source = add_advisory.source ORDER BY a.revision DESC NULLS LAST LIMIT 1;
        IF latest.content_hash = hash THEN
            RETURN QUERY SELECT latest.raw_id, latest.revision, false;
            RETURN;
        END IF;
        -- Of two who come at the same time, one waits here for the other, and then looks again.
        INSERT INTO @vuln@.advisory_raw AS a (advisory_id, source, raw_document, published_at, revision, content_hash, fetched_from)
        VALUES (id, add_advisory.source, add_advisory.raw_document,
                coalesce(add_advisory.published_at, @vuln@.published_at_of(add_advisory.raw_document)),
                coalesce(latest.revision, 0) + 1, hash, add_advisory.fetched_from)
        ON CONFLICT ON CONSTRAINT advisory_raw_advisory_id_source_revision_key DO NOTHING
        RETURNING a.raw_id, a.revision INTO add_advisory.raw_id, add_advisory.revision;
        IF FOUND THEN
            added := true;
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION @vuln@.add_advisory(text, jsonb, text, timestamptz, text) IS
    'adds an advisory, or its next revision; none (added is false) if the content is that of the latest revision. Id and time are the document''s unless they are given';

CREATE VIEW @vuln@.advisory AS
    SELECT DISTINCT ON (a.advisory_id, a.source) a.*
    FROM @vuln@.advisory_raw AS a WHERE a.advisory_id IS NOT NULL AND a.source IS NOT NULL
    ORDER BY a.advisory_id, a.source, a.revision DESC NULLS LAST;
COMMENT ON VIEW @vuln@.advisory IS 'the latest revision of each advisory';

CREATE TABLE @vuln@.linksets (
    linkset_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    advisory_id     varchar(100) COLLATE "C",
    purl            text COLLATE "C",
    version_range   jsonb,
    created_at      timestamptz DEFAULT now(),
    advisory_raw_id uuid REFERENCES @vuln@.advisory_raw,
    canonical_id    text COLLATE "C",
    aliases         text[] NOT NULL DEFAULT '{}',
    conflicts       jsonb NOT NULL DEFAULT '[]' CONSTRAINT linksets_conflicts_check CHECK (jsonb_typeof(conflicts) = 'array')
);
CREATE INDEX linksets_advisory_idx ON @vuln@.linksets (advisory_id);
CREATE INDEX linksets_purl_idx ON @vuln@.linksets (purl);
CREATE INDEX linksets_canonical_idx ON @vuln@.linksets (canonical_id);
CREATE INDEX linksets_raw_idx ON @vuln@.linksets (advisory_raw_id);
COMMENT ON TABLE @vuln@.linksets IS 'which component an advisory links to which vulnerability';
COMMENT ON COLUMN @vuln@.linksets.purl IS 'package URL of the component, without version';
COMMENT ON COLUMN @vuln@.linksets.version_range IS 'which versions of it are affected';
COMMENT ON COLUMN @vuln@.linksets.advisory_raw_id IS 'the revision of the advisory that says so';
COMMENT ON COLUMN @vuln@.linksets.canonical_id IS 'the name chosen for the vulnerability: the CVE if there is one';
COMMENT ON COLUMN @vuln@.linksets.aliases IS 'its other names';
COMMENT ON COLUMN @vuln@.linksets.conflicts IS 'in what the advisories on it contradict each other';

CREATE TABLE @vuln@.observations (
    observation_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    advisory_id     varchar(100) COLLATE "C",
    severity_cvss3  jsonb,
    severity_cvss4  jsonb,
    description     text,
    "references"    jsonb,
    created_at      timestamptz DEFAULT now(),
    advisory_raw_id uuid REFERENCES @vuln@.advisory_raw,
    severity        text CONSTRAINT observations_severity_check CHECK (severity IN ('critical', 'high', 'medium', 'low', 'none', 'unknown'))
);
CREATE INDEX observations_advisory_idx ON @vuln@.observations (advisory_id);
CREATE INDEX observations_raw_idx ON @vuln@.observations (advisory_raw_id);
COMMENT ON TABLE @vuln@.observations IS 'what an advisory says of its vulnerability';
COMMENT ON COLUMN @vuln@.observations.severity_cvss3 IS 'score and vector by CVSS 3';
COMMENT ON COLUMN @vuln@.observations.severity_cvss4 IS 'score and vector by CVSS 4';
COMMENT ON COLUMN @vuln@.observations.advisory_raw_id IS 'the revision of the advisory that says so';
COMMENT ON COLUMN @vuln@.observations.severity IS 'critical, high, medium, low, none or unknown';

-- Hash only: a row cannot change, so its content is the row; and a document of that size can be fetched again from its
-- source, where content_hash tells which is the one.
SELECT @verbs@.audit_attach('@vuln@.advisory_raw', kind => '@vuln@.advisory_raw', append_only => true);
SELECT @verbs@.audit_attach('@vuln@.schema_migrations', kind => '@vuln@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@vuln@.linksets', kind => '@vuln@.linksets', payload => 'full', skip_unchanged => true);
SELECT @verbs@.audit_attach('@vuln@.observations', kind => '@vuln@.observations');

SELECT @authority@.record_migration('@vuln@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@vuln@'));
