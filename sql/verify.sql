-- Verifying what the links of the chains say. The results are composite types rather than TABLE columns, so that both the
-- argument and the column can be called chain.

CREATE TYPE auditspine.chain_verdict AS (
    chain         text,
    ok            boolean,
    entries       bigint,
    lanes         integer,
    first_bad_seq bigint,
    findings      bigint,
    first_seq     bigint,
    head_seq      bigint
);
COMMENT ON TYPE auditspine.chain_verdict IS 'verdict on one chain, or on a window of it';

CREATE TYPE auditspine.chain_finding AS (
    chain      text,
    lane       integer,
    pos        bigint,
    seq        bigint,
    finding    text,
    detail     text,
    expected   bytea,
    found      bytea,
    event_kind text,
    event_pk   text,
    evidence   jsonb
);
COMMENT ON TYPE auditspine.chain_finding IS 'one thing that is wrong with a chain, and the evidence';

CREATE FUNCTION @extschema@.verify_chain(
    chain text DEFAULT NULL, start_seq bigint DEFAULT 1, end_seq bigint DEFAULT NULL
) RETURNS SETOF auditspine.chain_verdict
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    AS 'MODULE_PATHNAME', 'auditspine_verify_chain';
COMMENT ON FUNCTION @extschema@.verify_chain(text, bigint, bigint) IS
    'recomputes every hash and link of a chain (NULL: of all), within a window of seq; one row per chain';

CREATE FUNCTION @extschema@.chain_findings(
    chain text DEFAULT NULL, start_seq bigint DEFAULT 1, end_seq bigint DEFAULT NULL
) RETURNS SETOF auditspine.chain_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    AS 'MODULE_PATHNAME', 'auditspine_chain_findings';
COMMENT ON FUNCTION @extschema@.chain_findings(text, bigint, bigint) IS
    'as verify_chain(), but lists everything that is wrong, with the evidence';
