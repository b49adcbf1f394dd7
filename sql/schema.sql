-- State of auditspine: chains, their entries, and the layouts that rows were hashed under. The verbs live in the schema
-- that CREATE EXTENSION chooses.

-- Plain CREATE: a schema planted beforehand fails the install.
CREATE SCHEMA auditspine;
COMMENT ON SCHEMA auditspine IS 'state of the extension auditspine: audit chains and their entries';

-- Chain 1 is main.
CREATE SEQUENCE auditspine.chain_id_seq AS integer START 2;
CREATE SEQUENCE auditspine.audit_seq AS bigint;

CREATE TABLE auditspine.chain (
    chain_id   integer PRIMARY KEY,
    name       text COLLATE "C" NOT NULL CONSTRAINT chain_name_key UNIQUE,
    lanes      smallint NOT NULL CHECK (lanes OPERATOR(pg_catalog.>=) 1 AND lanes OPERATOR(pg_catalog.<=) 256),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    -- The default is for a dump of 0.4.0 or before, whose rows are without these two columns.
    tenant     text COLLATE "C" CONSTRAINT chain_tenant_key UNIQUE,
    origin     text COLLATE "C" NOT NULL DEFAULT 'unknown',
    CONSTRAINT chain_origin_check CHECK (
        origin OPERATOR(pg_catalog.=) ANY ('{operator,tenant,unknown}'::text[])
        AND (origin OPERATOR(pg_catalog.=) 'tenant') OPERATOR(pg_catalog.=) (tenant IS NOT NULL))
);
COMMENT ON TABLE auditspine.chain IS 'a named history';
COMMENT ON COLUMN auditspine.chain.lanes IS 'how many linear hash chains concurrent commits may use';
COMMENT ON COLUMN auditspine.chain.tenant IS 'whose chain it is: the value of the columns that chain_by names';
COMMENT ON COLUMN auditspine.chain.origin IS
    'operator: chain main, or made by create_chain(); tenant: made at a tenant''s first event; unknown: by an earlier version, see settle_chains()';

CREATE TABLE auditspine.audit_chain (
    seq          bigint NOT NULL,
    chain_id     integer NOT NULL,
    lane         smallint NOT NULL,
    pos          bigint NOT NULL,
    version      smallint NOT NULL,
    op           "char" NOT NULL,
    event_kind   text COLLATE "C" NOT NULL,
    event_pk     text COLLATE "C",
    xid          xid8 NOT NULL,
    appended_at  timestamptz NOT NULL,
    db_user      text NOT NULL,
    actor        text,
    context      jsonb,
    layout       integer,
    payload      jsonb,
    payload_hash bytea NOT NULL,
    event_hash   bytea NOT NULL,
    prev_hash    bytea NOT NULL,
    chain_hash   bytea NOT NULL,
    CONSTRAINT audit_chain_pkey PRIMARY KEY (chain_id, lane, pos)
);
-- The heap is in the order of seq.
CREATE INDEX audit_chain_seq_idx ON auditspine.audit_chain USING brin (seq) WITH (autosummarize = on);
-- What the extension itself recorded, and TRUNCATEs. Entries of rows are found by the runs of history.sql.
CREATE INDEX audit_chain_system_idx ON auditspine.audit_chain (event_kind, event_pk)
    WHERE op OPERATOR(pg_catalog.=) ANY ('{S,T}'::"char"[]);

COMMENT ON TABLE auditspine.audit_chain IS 'entries of all audit chains; written by audit_chain_append() alone';
COMMENT ON COLUMN auditspine.audit_chain.seq IS 'database-wide number, in the order of linking; gaps are normal';
COMMENT ON COLUMN auditspine.audit_chain.lane IS 'one linear hash chain within the chain';
COMMENT ON COLUMN auditspine.audit_chain.pos IS 'position within the lane: 1, 2, 3 …, never a gap';
COMMENT ON COLUMN auditspine.audit_chain.version IS 'format of this entry';
COMMENT ON COLUMN auditspine.audit_chain.op IS 'I(nsert), U(pdate), D(elete), T(runcate), A(ppended by hand), S(ystem)';
COMMENT ON COLUMN auditspine.audit_chain.event_kind IS 'source of the event, by default the table';
COMMENT ON COLUMN auditspine.audit_chain.event_pk IS 'key of the row: the value''s text, or a JSON array of texts';
COMMENT ON COLUMN auditspine.audit_chain.db_user IS 'session user';
COMMENT ON COLUMN auditspine.audit_chain.actor IS 'setting auditspine.actor when the change was made';
COMMENT ON COLUMN auditspine.audit_chain.context IS 'setting auditspine.context when the change was made';
COMMENT ON COLUMN auditspine.audit_chain.layout IS 'column layout that the row was hashed under';
COMMENT ON COLUMN auditspine.audit_chain.payload IS 'the row itself, where the trigger asks for it';
COMMENT ON COLUMN auditspine.audit_chain.payload_hash IS 'SHA-256 of the canonical JSON of the row';
COMMENT ON COLUMN auditspine.audit_chain.event_hash IS 'SHA-256 of the canonical JSON of the event';
COMMENT ON COLUMN auditspine.audit_chain.prev_hash IS 'chain_hash of the entry before; 32 zero bytes at pos 1';
COMMENT ON COLUMN auditspine.audit_chain.chain_hash IS 'SHA-256(prev_hash || event_hash || int8send(seq))';

INSERT INTO auditspine.chain (chain_id, name, lanes, origin) VALUES (1, 'main', 32, 'operator');

-- Whoever wants to change an entry has to go out of their way; the verifiers find it all the same.
CREATE FUNCTION auditspine.refuse_change() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'auditspine_refuse_change';
COMMENT ON FUNCTION auditspine.refuse_change() IS 'trigger: refuses the change';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.chain
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();

-- Where a lane ends is shared between sessions. What a statement puts into the table is not told to them, so it is to be
-- looked for after one.
CREATE FUNCTION auditspine.distrust_heads() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'auditspine_distrust_heads';
REVOKE ALL ON FUNCTION auditspine.distrust_heads() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.distrust_heads() IS 'trigger: has the ends of lanes searched for by index';
CREATE TRIGGER distrust_heads BEFORE INSERT ON auditspine.audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.distrust_heads();
ALTER TABLE auditspine.audit_chain ENABLE ALWAYS TRIGGER distrust_heads;

-- Chain main comes with the extension, so a dump must not bring it again.
SELECT pg_catalog.pg_extension_config_dump('auditspine.chain', 'WHERE chain_id <> 1');
SELECT pg_catalog.pg_extension_config_dump('auditspine.audit_chain', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.chain_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.audit_seq', '');

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
