-- Heads: the ends of lanes, published outside of the database and held against it.

CREATE SEQUENCE auditspine.publication_id_seq AS bigint;

CREATE TABLE auditspine.publication (
    publication_id bigint NOT NULL,
    published_at   timestamptz NOT NULL,
    file           text NOT NULL,
    chain          text COLLATE "C" NOT NULL,
    chain_id       integer NOT NULL,
    lane           smallint NOT NULL,
    pos            bigint NOT NULL,
    seq            bigint NOT NULL,
    chain_hash     bytea NOT NULL,
    db_user        text NOT NULL,
    CONSTRAINT publication_pkey PRIMARY KEY (publication_id, chain_id, lane)
);
-- Whether a published head is recorded.
CREATE INDEX publication_head_idx ON auditspine.publication (chain, lane, pos, published_at);

COMMENT ON TABLE auditspine.publication IS 'heads that publish_head() wrote to a file, one row a line; written by it alone';
COMMENT ON COLUMN auditspine.publication.publication_id IS 'one for all heads written to a file at once';
COMMENT ON COLUMN auditspine.publication.file IS 'where the line was appended: one of the files of auditspine.publish_file at that time';
COMMENT ON COLUMN auditspine.publication.pos IS 'position of the last entry that the lane had';
COMMENT ON COLUMN auditspine.publication.seq IS 'seq of that entry';
COMMENT ON COLUMN auditspine.publication.chain_hash IS 'chain_hash of that entry, which commits to all before it in the lane';
COMMENT ON COLUMN auditspine.publication.db_user IS 'session user';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.publication
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();

SELECT pg_catalog.pg_extension_config_dump('auditspine.publication', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.publication_id_seq', '');

CREATE TYPE auditspine.chain_head AS (
    chain      text,
    chain_id   integer,
    lane       integer,
    pos        bigint,
    seq        bigint,
    chain_hash bytea
);
COMMENT ON TYPE auditspine.chain_head IS 'the last entry of a lane';

CREATE TYPE auditspine.publication_verdict AS (
    ok                 boolean,
    lines              bigint,
    heads              bigint,
    findings           bigint,
    restored           boolean,
    first_bad_line     bigint,
    first_published_at timestamptz,
    last_published_at  timestamptz
);
COMMENT ON TYPE auditspine.publication_verdict IS 'what published lines, held against the database, say';

CREATE TYPE auditspine.publication_finding AS (
    line         bigint,
    chain        text,
    lane         integer,
    pos          bigint,
    seq          bigint,
    published_at timestamptz,
    finding      text,
    detail       text,
    expected     bytea,
    found        bytea
);
COMMENT ON TYPE auditspine.publication_finding IS 'one published line that the database does not bear out, and the evidence';

CREATE FUNCTION @extschema@.chain_heads(chain text DEFAULT NULL) RETURNS SETOF auditspine.chain_head
    LANGUAGE c VOLATILE PARALLEL RESTRICTED CALLED ON NULL INPUT
    COST 1000 ROWS 32
    AS 'MODULE_PATHNAME', 'auditspine_chain_heads';
COMMENT ON FUNCTION @extschema@.chain_heads(text) IS
    'the last entry of each lane of a chain (NULL: of all), as it is at this moment';

CREATE FUNCTION @extschema@.publish_head(chain text DEFAULT NULL)
    RETURNS TABLE (heads bigint, published_at timestamptz, file text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_publish_head';
REVOKE ALL ON FUNCTION @extschema@.publish_head(text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.publish_head(text) IS
    'appends the heads of a chain (NULL: of all) to each file of auditspine.publish_file, as lines of JSON, and records them; one row a file';

CREATE FUNCTION @extschema@.publish_files() RETURNS SETOF text
    LANGUAGE c STABLE PARALLEL SAFE
    ROWS 2
    AS 'MODULE_PATHNAME', 'publish_files_wrapper';
COMMENT ON FUNCTION @extschema@.publish_files() IS
    'the files that publish_head() appends to, as auditspine.publish_file lists them';

CREATE FUNCTION @extschema@.verify_publication(lines text) RETURNS SETOF auditspine.publication_verdict
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_publication';
COMMENT ON FUNCTION @extschema@.verify_publication(text) IS
    'holds published lines against the database; one row';

CREATE FUNCTION @extschema@.publication_findings(lines text) RETURNS SETOF auditspine.publication_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_publication_findings';
COMMENT ON FUNCTION @extschema@.publication_findings(text) IS
    'as verify_publication(), but lists every line that the database does not bear out, with the evidence';

CREATE FUNCTION @extschema@.verify_publication_file(path text) RETURNS SETOF auditspine.publication_verdict
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_publication_file';
COMMENT ON FUNCTION @extschema@.verify_publication_file(text) IS
    'as verify_publication(), of a file on the server; who may read it is up to pg_read_binary_file()';

CREATE FUNCTION @extschema@.publication_file_findings(path text) RETURNS SETOF auditspine.publication_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_publication_file_findings';
COMMENT ON FUNCTION @extschema@.publication_file_findings(text) IS
    'as publication_findings(), of a file on the server; who may read it is up to pg_read_binary_file()';
