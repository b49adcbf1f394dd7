-- Heads go to several files; entries of a window are verified.

COMMENT ON FUNCTION @extschema@.publish_head(text) IS
    'appends the heads of a chain (NULL: of all) to each file of auditspine.publish_file, as lines of JSON, and records them; one row a file';
COMMENT ON COLUMN auditspine.publication.publication_id IS 'one for all heads written to a file at once';
COMMENT ON COLUMN auditspine.publication.file IS 'where the line was appended: one of the files of auditspine.publish_file at that time';

CREATE FUNCTION @extschema@.publish_files() RETURNS SETOF text
    LANGUAGE c STABLE PARALLEL SAFE
    ROWS 2
    AS 'MODULE_PATHNAME', 'publish_files_wrapper';
COMMENT ON FUNCTION @extschema@.publish_files() IS
    'the files that publish_head() appends to, as auditspine.publish_file lists them';

COMMENT ON FUNCTION @extschema@.verify_all(text) IS
    'verifies all chains and audited tables, records the run and raises alerts; ''last'': what was added since the last clean run; a number: entries from that seq on; ''5-9'': from one seq to another';
COMMENT ON COLUMN auditspine.verification.scope IS 'full, incremental (from the last clean run), since N, or N to M';
