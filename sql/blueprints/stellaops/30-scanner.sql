-- Scans, what came of them, images and their layers.

CREATE TABLE @scanner@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @scanner@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @scanner@.scans (
    scan_id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id       uuid NOT NULL,
    image_digest    varchar(100) COLLATE "C",
    image_reference text,
    state           varchar(50) DEFAULT 'pending'
                    CONSTRAINT scans_state_check CHECK (state IN ('pending', 'acquired', 'running', 'completed', 'failed')),
    created_at      timestamptz DEFAULT now(),
    started_at      timestamptz,
    completed_at    timestamptz,
    metadata        jsonb,
    worker          text,
    error           text
);
CREATE INDEX scans_image_idx ON @scanner@.scans (image_digest);
CREATE INDEX scans_open_idx ON @scanner@.scans (created_at) WHERE state IN ('pending', 'acquired', 'running');
CREATE INDEX scans_tenant_idx ON @scanner@.scans (tenant_id, created_at);
COMMENT ON TABLE @scanner@.scans IS 'scans of images';
COMMENT ON COLUMN @scanner@.scans.image_digest IS 'digest of the image''s manifest; the image may be unknown to the images'' table';
COMMENT ON COLUMN @scanner@.scans.state IS 'pending, acquired (a worker has it), running, completed or failed; an acquired or running one that its worker lost goes back to pending';
COMMENT ON COLUMN @scanner@.scans.started_at IS 'filled when it starts to run, if it was not given; none while pending';
COMMENT ON COLUMN @scanner@.scans.completed_at IS 'when it completed or failed; filled then, if it was not given';
COMMENT ON COLUMN @scanner@.scans.worker IS 'who has acquired it';
COMMENT ON COLUMN @scanner@.scans.error IS 'why it failed';

CREATE FUNCTION @scanner@.scan_state() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    states constant text[] := '{pending,acquired,running,completed,failed}';
BEGIN
    -- Steps may be left out. A scan without a state is taken for one that is pending.
    IF OLD.state IN ('completed', 'failed')
       OR NEW.state <> 'pending' AND array_position(states, NEW.state::text) < coalesce(array_position(states, OLD.state::text), 1) THEN
        RAISE EXCEPTION 'scan % cannot go from % to %', NEW.scan_id, OLD.state, coalesce(NEW.state, 'null')
            USING ERRCODE = 'check_violation',
                  HINT = 'a scan goes from pending to acquired, running and completed, may fail or go back to pending before that, and then is done: scan anew';
    END IF;
    IF NEW.state = 'pending' THEN
        NEW.started_at := NULL;
    ELSIF NEW.state = 'running' THEN
        NEW.started_at := coalesce(NEW.started_at, now());
    ELSIF NEW.state IN ('completed', 'failed') THEN
        NEW.completed_at := coalesce(NEW.completed_at, now());
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @scanner@.scan_state() IS 'trigger: a scan goes through its states in order, and has the times of these';
CREATE TRIGGER scan_state BEFORE UPDATE OF state ON @scanner@.scans
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION @scanner@.scan_state();

CREATE TABLE @scanner@.artifacts (
    artifact_id varchar(100) COLLATE "C" PRIMARY KEY,
    scan_id     uuid REFERENCES @scanner@.scans,
    format      varchar(50) CONSTRAINT artifacts_format_check CHECK (format IN ('cdx-json', 'spdx-json', 'cdx-pb')),
    created_at  timestamptz DEFAULT now(),
    rekor_proof jsonb,
    file        text NOT NULL DEFAULT 'sbom.json',
    size_bytes  bigint CONSTRAINT artifacts_size_bytes_check CHECK (size_bytes >= 0),
    blob_path   text GENERATED ALWAYS AS (CASE WHEN artifact_id ~ '^sha256:[0-9a-f]{64}$' THEN @scanner@.blob_path(artifact_id, file) END) STORED,
    envelope    jsonb
);
CREATE INDEX artifacts_scan_idx ON @scanner@.artifacts (scan_id);
COMMENT ON TABLE @scanner@.artifacts IS 'bills of materials, each stored once by its digest';
COMMENT ON COLUMN @scanner@.artifacts.artifact_id IS 'digest of the file: sha256: and 64 hex';
COMMENT ON COLUMN @scanner@.artifacts.scan_id IS 'the scan that made it first; all that have it are in scan_artifacts';
COMMENT ON COLUMN @scanner@.artifacts.format IS 'cdx-json (CycloneDX), spdx-json, or cdx-pb (CycloneDX as protocol buffers)';
COMMENT ON COLUMN @scanner@.artifacts.rekor_proof IS 'proof that it is in a transparency log';
COMMENT ON COLUMN @scanner@.artifacts.file IS 'its name in the object store';
COMMENT ON COLUMN @scanner@.artifacts.blob_path IS 'where it lies in the object store; null if the id is no such digest';
COMMENT ON COLUMN @scanner@.artifacts.envelope IS 'its wrapper envelope: what lies beside it as sbom.meta.json';

CREATE TABLE @scanner@.images (
    image_digest        varchar(100) COLLATE "C" PRIMARY KEY,
    repository          text COLLATE "C",
    tag                 text,
    architecture        varchar(50),
    os                  varchar(50),
    created_at          timestamptz DEFAULT now(),
    manifest_media_type text DEFAULT 'application/vnd.oci.image.manifest.v1+json',
    size_bytes          bigint CONSTRAINT images_size_bytes_check CHECK (size_bytes >= 0),
    manifest_path       text GENERATED ALWAYS AS (CASE WHEN image_digest ~ '^sha256:[0-9a-f]{64}$' THEN @scanner@.image_path(image_digest, 'manifest.json') END) STORED
);
CREATE INDEX images_repository_idx ON @scanner@.images (repository, tag);
COMMENT ON TABLE @scanner@.images IS 'images that were pushed';
COMMENT ON COLUMN @scanner@.images.image_digest IS 'digest of the manifest: sha256: and 64 hex';
COMMENT ON COLUMN @scanner@.images.created_at IS 'when it came here';
COMMENT ON COLUMN @scanner@.images.manifest_path IS 'where the manifest lies in the object store; null if the digest is no such';

CREATE TABLE @scanner@.layers (
    layer_digest varchar(100) COLLATE "C" PRIMARY KEY,
    media_type   varchar(255),
    size         bigint CONSTRAINT layers_size_check CHECK (size >= 0),
    created_at   timestamptz DEFAULT now(),
    diff_id      text COLLATE "C" CONSTRAINT layers_diff_id_check CHECK (diff_id ~ '^sha256:[0-9a-f]{64}$')
);
COMMENT ON TABLE @scanner@.layers IS 'layers, each stored once by its digest';
COMMENT ON COLUMN @scanner@.layers.layer_digest IS 'digest of the layer as stored: sha256: and 64 hex';
COMMENT ON COLUMN @scanner@.layers.size IS 'bytes, as stored';
COMMENT ON COLUMN @scanner@.layers.diff_id IS 'digest of the layer unpacked: sha256: and 64 hex';

CREATE TABLE @scanner@.image_layers (
    image_digest varchar(100) COLLATE "C" NOT NULL REFERENCES @scanner@.images ON DELETE CASCADE,
    idx          integer NOT NULL CONSTRAINT image_layers_idx_check CHECK (idx >= 0),
    layer_digest varchar(100) COLLATE "C" NOT NULL REFERENCES @scanner@.layers,
    PRIMARY KEY (image_digest, idx)
);
CREATE INDEX image_layers_layer_digest_idx ON @scanner@.image_layers (layer_digest);
COMMENT ON TABLE @scanner@.image_layers IS 'which layers an image is made of, from the bottom up';

CREATE TABLE @scanner@.scan_artifacts (
    scan_id     uuid REFERENCES @scanner@.scans,
    artifact_id varchar(100) COLLATE "C" REFERENCES @scanner@.artifacts,
    view        text NOT NULL DEFAULT 'inventory' CONSTRAINT scan_artifacts_view_check CHECK (view IN ('inventory', 'usage', 'layer')),
    PRIMARY KEY (scan_id, artifact_id)
);
CREATE INDEX scan_artifacts_artifact_idx ON @scanner@.scan_artifacts (artifact_id);
COMMENT ON TABLE @scanner@.scan_artifacts IS 'which artifacts a scan has made, or found to be there';
COMMENT ON COLUMN @scanner@.scan_artifacts.view IS 'what it lists: inventory (all that is there), usage (what is used), or layer (one layer)';

SELECT @verbs@.audit_attach('@scanner@.schema_migrations', kind => '@scanner@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@scanner@.images', kind => '@scanner@.images');
SELECT @verbs@.audit_attach('@scanner@.layers', kind => '@scanner@.layers');
SELECT @verbs@.audit_attach('@scanner@.image_layers', kind => '@scanner@.image_layers');
-- With payload, so that the chain tells what became of a scan, and when: streams are read from it.
SELECT @verbs@.audit_attach('@scanner@.scans', kind => '@scanner@.scans', payload => 'full', skip_unchanged => true);
SELECT @verbs@.audit_attach('@scanner@.artifacts', kind => '@scanner@.artifacts');
SELECT @verbs@.audit_attach('@scanner@.scan_artifacts', kind => '@scanner@.scan_artifacts');

-- Signed decisions, with triggers and audit of their own.
SELECT @verbs@.create_proof_spine_schema('@scanner@'::text);

SELECT @authority@.record_migration('@scanner@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@scanner@'));
