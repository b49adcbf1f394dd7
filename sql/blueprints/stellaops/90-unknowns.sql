-- What scans found and could not name, and what became of it.

CREATE TABLE @unknowns@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @unknowns@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @unknowns@.unknown_components (
    unknown_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    scan_id        uuid REFERENCES @scanner@.scans,
    artifact_id    varchar(100) COLLATE "C" REFERENCES @scanner@.artifacts,
    path           text CONSTRAINT unknown_components_path_check CHECK (path <> ''),
    content_digest text CONSTRAINT unknown_components_content_digest_check CHECK (content_digest ~ '^sha256:[0-9a-f]{64}$'),
    reason         text CONSTRAINT unknown_components_reason_check CHECK
                   (reason IN ('no_package_metadata', 'no_version', 'ambiguous_match', 'stripped_binary', 'unsupported_format')),
    confidence     numeric(3,2) NOT NULL DEFAULT 0.00
                   CONSTRAINT unknown_components_confidence_check CHECK (confidence BETWEEN 0.00 AND 1.00),
    best_guess     text,
    created_at     timestamptz DEFAULT now(),
    CONSTRAINT unknown_components_scan_path_key UNIQUE (scan_id, path)
);
CREATE INDEX unknown_components_content_idx ON @unknowns@.unknown_components (content_digest);
COMMENT ON TABLE @unknowns@.unknown_components IS 'files and packages that a scan could not name';
COMMENT ON COLUMN @unknowns@.unknown_components.content_digest IS 'digest of the file: sha256: and 64 hex';
COMMENT ON COLUMN @unknowns@.unknown_components.reason IS 'no_package_metadata, no_version, ambiguous_match, stripped_binary or unsupported_format';
COMMENT ON COLUMN @unknowns@.unknown_components.confidence IS '0.00 to 1.00: how good the best guess is';

CREATE TABLE @unknowns@.tracking (
    tracking_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unknown_id    uuid REFERENCES @unknowns@.unknown_components,
    state         text NOT NULL DEFAULT 'open'
                  CONSTRAINT tracking_state_check CHECK (state IN ('open', 'in_review', 'identified', 'accepted', 'dismissed')),
    identified_as text,
    client_id     uuid REFERENCES @authority@.clients,
    remark        text NOT NULL DEFAULT '',
    created_at    timestamptz DEFAULT clock_timestamp(),
    CONSTRAINT tracking_identified_check CHECK ((state = 'identified') = (identified_as IS NOT NULL))
);
CREATE INDEX tracking_unknown_idx ON @unknowns@.tracking (unknown_id, tracking_id);
COMMENT ON TABLE @unknowns@.tracking IS 'what became of each, step by step: the last row says where it stands; append-only';
COMMENT ON COLUMN @unknowns@.tracking.state IS 'open, in_review, identified (as a package URL), accepted (as a risk) or dismissed';

SELECT @verbs@.audit_attach('@unknowns@.schema_migrations', kind => '@unknowns@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@unknowns@.unknown_components', kind => '@unknowns@.unknown_components');
SELECT @verbs@.audit_attach('@unknowns@.tracking', kind => '@unknowns@.tracking', append_only => true);

SELECT @authority@.record_migration('@unknowns@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@unknowns@'));
