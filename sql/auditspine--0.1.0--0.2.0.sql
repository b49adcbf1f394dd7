-- Made by scripts/upgrade-script of the numbered files in this folder.

-- 10-rows.sql
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

-- 40-backfill.sql
-- The history of a row; chaining the rows that a table had before it was audited, and how far that is.

CREATE FUNCTION @extschema@.audit_history(target regclass, VARIADIC key text[])
    RETURNS TABLE (
        seq          bigint,
        op           "char",
        appended_at  timestamptz,
        db_user      text,
        actor        text,
        context      jsonb,
        xid          xid8,
        chain        text,
        layout       integer,
        payload_hash bytea,
        payload      jsonb,
        changed      jsonb
    )
    LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
    ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_history';
COMMENT ON FUNCTION @extschema@.audit_history(regclass, text[]) IS
    'the versions of one row of an audited table, oldest first; key: the key columns'' texts, in order';
