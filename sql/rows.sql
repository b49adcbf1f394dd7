-- The rows of audited tables against their entries.

CREATE TYPE auditspine.table_verdict AS (
    table_name    text,
    kind          text,
    ok            boolean,
    rows          bigint,
    entries       bigint,
    edited        bigint,
    deleted       bigint,
    unrecorded    bigint,
    unverifiable  bigint,
    findings      bigint,
    first_bad_seq bigint
);
COMMENT ON TYPE auditspine.table_verdict IS 'verdict on the rows of one table';

CREATE TYPE auditspine.table_finding AS (
    table_name     text,
    key            text,
    finding        text,
    seq            bigint,
    expected       bytea,
    found          bytea,
    detail         text,
    recorded       jsonb,
    current        jsonb,
    layout         integer,
    current_layout integer
);
COMMENT ON TYPE auditspine.table_finding IS 'one thing that is wrong with the rows of a table, or with how it is audited';

CREATE FUNCTION @extschema@.verify_table(target regclass, since bigint DEFAULT NULL, chain text DEFAULT NULL)
    RETURNS SETOF auditspine.table_verdict
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_table_of_chain';
COMMENT ON FUNCTION @extschema@.verify_table(regclass, bigint, text) IS
    'holds every row of a table against the entry that recorded it last, or only those rows that entries from a seq on tell of, or those of one chain; one row per kind of its events';

CREATE FUNCTION @extschema@.verify_table_findings(target regclass, since bigint DEFAULT NULL, chain text DEFAULT NULL)
    RETURNS SETOF auditspine.table_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_table_of_chain_findings';
COMMENT ON FUNCTION @extschema@.verify_table_findings(regclass, bigint, text) IS
    'as verify_table(), but lists everything that is wrong, with the evidence; in no particular order';
