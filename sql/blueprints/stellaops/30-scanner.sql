-- Images, their layers, what was scanned and what came of it; and where it lies in the object store.

CREATE TABLE @scanner@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @scanner@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

-- Paths in the object store. One digest has one path, with sha256: before it or without.
CREATE FUNCTION @scanner@.object_path(root text, digest text, file text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Control characters, and those that are invisible or change the direction of writing: they disguise a name.
    unseen constant text := '[\u0001-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]';
    hex    text := regexp_replace(digest, '^sha256:', '');
BEGIN
    IF hex !~ '^[0-9a-f]{64}$' THEN
        RAISE EXCEPTION 'digest "%" is no SHA-256', left(digest, 100)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'pass 64 hexadecimal digits in lower case, with or without sha256: before them';
    END IF;
    IF file IN ('', '.') OR strpos(file, '..') > 0 OR file ~ '[/\\]' OR file ~ unseen COLLATE "C" OR octet_length(file) > 255 THEN
        RAISE EXCEPTION 'file name "%" cannot be part of a path', regexp_replace(left(file, 100), unseen, '?', 'g')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'pass 1 to 255 bytes without slash, backslash, two dots in a row, control and invisible characters';
    END IF;
    RETURN root || '/' || left(hex, 4) || '/' || hex || '/' || file;
END $$;
COMMENT ON FUNCTION @scanner@.object_path(text, text, text) IS
    'root/first four digits/digest/file: the object store''s layout; the digest in hex, without sha256:';

CREATE FUNCTION @scanner@.blob_path(digest text, file text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT @scanner@.object_path('blobs'::pg_catalog.text, digest, file) $$;
COMMENT ON FUNCTION @scanner@.blob_path(text, text) IS 'where a file of an artifact lies, such as sbom.json';

CREATE FUNCTION @scanner@.image_path(digest text, file text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT @scanner@.object_path('images'::pg_catalog.text, digest, file) $$;
COMMENT ON FUNCTION @scanner@.image_path(text, text) IS 'where a file of an image lies, such as manifest.json';

CREATE FUNCTION @scanner@.evidence_path(digest text, file text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT @scanner@.object_path('evidence'::pg_catalog.text, digest, file) $$;
COMMENT ON FUNCTION @scanner@.evidence_path(text, text) IS 'where a piece of evidence lies, such as envelope.dsse.json';

CREATE TABLE @scanner@.images (
    image_digest text COLLATE "C" PRIMARY KEY CONSTRAINT images_image_digest_check CHECK (image_digest ~ '^sha256:[0-9a-f]{64}$'),
    repository   text COLLATE "C" NOT NULL REFERENCES @registry@.repositories,
    tag          text CONSTRAINT images_tag_check CHECK (tag ~ '^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$'),
    media_type   text NOT NULL DEFAULT 'application/vnd.oci.image.manifest.v1+json',
    size_bytes   bigint NOT NULL CONSTRAINT images_size_bytes_check CHECK (size_bytes >= 0),
    manifest_path text GENERATED ALWAYS AS (@scanner@.image_path(image_digest, 'manifest.json')) STORED,
    pushed_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX images_repository_idx ON @scanner@.images (repository, tag);
COMMENT ON TABLE @scanner@.images IS 'images that were pushed';
COMMENT ON COLUMN @scanner@.images.image_digest IS 'digest of the manifest: sha256: and 64 hex';
COMMENT ON COLUMN @scanner@.images.manifest_path IS 'where the manifest lies in the object store';

CREATE TABLE @scanner@.layers (
    image_digest text COLLATE "C" NOT NULL REFERENCES @scanner@.images ON DELETE CASCADE,
    idx          integer NOT NULL CONSTRAINT layers_idx_check CHECK (idx >= 0),
    layer_digest text COLLATE "C" NOT NULL CONSTRAINT layers_layer_digest_check CHECK (layer_digest ~ '^sha256:[0-9a-f]{64}$'),
    diff_id      text COLLATE "C" NOT NULL CONSTRAINT layers_diff_id_check CHECK (diff_id ~ '^sha256:[0-9a-f]{64}$'),
    size_bytes   bigint NOT NULL CONSTRAINT layers_size_bytes_check CHECK (size_bytes >= 0),
    PRIMARY KEY (image_digest, idx)
);
CREATE INDEX layers_layer_digest_idx ON @scanner@.layers (layer_digest);
COMMENT ON TABLE @scanner@.layers IS 'layers of images, from the bottom up';
COMMENT ON COLUMN @scanner@.layers.layer_digest IS 'digest of the layer as stored: sha256: and 64 hex';
COMMENT ON COLUMN @scanner@.layers.diff_id IS 'digest of the layer unpacked: sha256: and 64 hex';

CREATE TABLE @scanner@.scans (
    scan_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    image_digest text COLLATE "C" NOT NULL REFERENCES @scanner@.images,
    state        text NOT NULL DEFAULT 'pending'
                 CONSTRAINT scans_state_check CHECK (state IN ('pending', 'acquired', 'running', 'completed', 'failed')),
    requested_by text COLLATE "C" NOT NULL REFERENCES @authority@.clients,
    requested_at timestamptz NOT NULL DEFAULT now(),
    worker       text,
    finished_at  timestamptz,
    error        text,
    CONSTRAINT scans_worker_check CHECK (state IN ('pending', 'failed') OR worker IS NOT NULL),
    CONSTRAINT scans_finished_check CHECK ((state IN ('completed', 'failed')) = (finished_at IS NOT NULL)),
    CONSTRAINT scans_error_check CHECK ((state = 'failed') = (error IS NOT NULL))
);
CREATE INDEX scans_image_idx ON @scanner@.scans (image_digest);
CREATE INDEX scans_open_idx ON @scanner@.scans (requested_at) WHERE state IN ('pending', 'acquired', 'running');
COMMENT ON TABLE @scanner@.scans IS 'scans of images';
COMMENT ON COLUMN @scanner@.scans.state IS 'pending, acquired (a worker has it), running, completed or failed; an acquired or running one that its worker lost goes back to pending';
COMMENT ON COLUMN @scanner@.scans.worker IS 'who has acquired it';

CREATE FUNCTION @scanner@.scan_state() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (('pending', 'acquired'), ('acquired', 'running'), ('running', 'completed'),
                                      ('acquired', 'pending'), ('running', 'pending'),
                                      ('pending', 'failed'), ('acquired', 'failed'), ('running', 'failed')) THEN
        RAISE EXCEPTION 'scan % cannot go from % to %', NEW.scan_id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation',
                  HINT = 'a scan goes from pending to acquired, running and completed, may fail or go back to pending before that, and then is done: scan anew';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @scanner@.scan_state() IS 'trigger: a scan goes through its states in order';
CREATE TRIGGER scan_state BEFORE UPDATE OF state ON @scanner@.scans
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION @scanner@.scan_state();

CREATE TABLE @scanner@.artifacts (
    artifact_digest text COLLATE "C" PRIMARY KEY
                    CONSTRAINT artifacts_artifact_digest_check CHECK (artifact_digest ~ '^sha256:[0-9a-f]{64}$'),
    format          text NOT NULL CONSTRAINT artifacts_format_check CHECK (format IN ('cdx-json', 'spdx-json', 'cdx-pb')),
    file            text NOT NULL DEFAULT 'sbom.json',
    size_bytes      bigint NOT NULL CONSTRAINT artifacts_size_bytes_check CHECK (size_bytes >= 0),
    blob_path       text GENERATED ALWAYS AS (@scanner@.blob_path(artifact_digest, file)) STORED,
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @scanner@.artifacts IS 'bills of materials, each stored once by its digest';
COMMENT ON COLUMN @scanner@.artifacts.artifact_digest IS 'digest of the file: sha256: and 64 hex';
COMMENT ON COLUMN @scanner@.artifacts.format IS 'cdx-json (CycloneDX), spdx-json, or cdx-pb (CycloneDX as protocol buffers)';
COMMENT ON COLUMN @scanner@.artifacts.blob_path IS 'where it lies in the object store';

CREATE TABLE @scanner@.scan_artifacts (
    scan_id         uuid NOT NULL REFERENCES @scanner@.scans ON DELETE CASCADE,
    artifact_digest text COLLATE "C" NOT NULL REFERENCES @scanner@.artifacts,
    view            text NOT NULL DEFAULT 'inventory' CONSTRAINT scan_artifacts_view_check CHECK (view IN ('inventory', 'usage', 'layer')),
    PRIMARY KEY (scan_id, artifact_digest)
);
CREATE INDEX scan_artifacts_artifact_idx ON @scanner@.scan_artifacts (artifact_digest);
COMMENT ON TABLE @scanner@.scan_artifacts IS 'which artifacts a scan has made, or found to be there';
COMMENT ON COLUMN @scanner@.scan_artifacts.view IS 'what it lists: inventory (all that is there), usage (what is used), or layer (one layer)';

SELECT @verbs@.audit_attach('@scanner@.schema_migrations', kind => '@scanner@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@scanner@.images', kind => '@scanner@.images');
SELECT @verbs@.audit_attach('@scanner@.layers', kind => '@scanner@.layers');
SELECT @verbs@.audit_attach('@scanner@.scans', kind => '@scanner@.scans', skip_unchanged => true);
SELECT @verbs@.audit_attach('@scanner@.artifacts', kind => '@scanner@.artifacts');
SELECT @verbs@.audit_attach('@scanner@.scan_artifacts', kind => '@scanner@.scan_artifacts');

-- Signed decisions, with triggers and audit of their own.
SELECT @verbs@.create_proof_spine_schema('@scanner@'::text);

SELECT @authority@.record_migration('@scanner@', '1', 'tables of blueprint stellaops', @authority@.schema_checksum('@scanner@'));
