-- Layouts: the columns that rows were hashed under. Verification trusts the S entries of kind
-- auditspine.layout; this table is where writers find the number of theirs.

CREATE SEQUENCE auditspine.layout_id_seq AS integer;

CREATE TABLE auditspine.layout (
    layout_id  integer PRIMARY KEY,
    relation   regclass NOT NULL,
    digest     bytea NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL
);
-- Not unique by digest: two first writers at a time may each record a layout, rather than wait for one
-- another; and a layout that comes back after another is recorded anew.
CREATE INDEX layout_relation_idx ON auditspine.layout (relation, kind, layout_id);

COMMENT ON TABLE auditspine.layout IS 'column layouts that rows were hashed under; each is told in full by an entry of kind auditspine.layout';
COMMENT ON COLUMN auditspine.layout.relation IS 'table or partition whose rows were hashed';
COMMENT ON COLUMN auditspine.layout.digest IS 'SHA-256 of the canonical JSON of the layout without the table''s name';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.layout
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();

SELECT pg_catalog.pg_extension_config_dump('auditspine.layout', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.layout_id_seq', '');
