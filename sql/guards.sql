-- Guards of the extension's own tables.

-- A publication FOR ALL TABLES brings the publisher's state, which is none of ours.
CREATE FUNCTION auditspine.keep_replicated_out() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'auditspine_keep_replicated_out';
REVOKE ALL ON FUNCTION auditspine.keep_replicated_out() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.keep_replicated_out() IS
    'trigger: passes over rows that logical replication brings, and refuses its TRUNCATE';

-- Fired by what runs as a replica alone, such as workers of a subscription.
DO $guards$
DECLARE
    state pg_catalog.regclass;
BEGIN
    FOR state IN
        SELECT c.oid FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_depend AS d
          ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
         AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'::"char"
        JOIN pg_catalog.pg_extension AS e
          ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
         AND d.refobjid OPERATOR(pg_catalog.=) e.oid AND e.extname OPERATOR(pg_catalog.=) 'auditspine'
        WHERE c.relkind OPERATOR(pg_catalog.=) 'r'::"char"
          AND c.relnamespace OPERATOR(pg_catalog.=) 'auditspine'::pg_catalog.regnamespace
        ORDER BY c.relname COLLATE "C"
    LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER replicated BEFORE INSERT OR UPDATE OR DELETE ON %s
            FOR EACH ROW EXECUTE FUNCTION auditspine.keep_replicated_out()', state);
        EXECUTE pg_catalog.format('CREATE TRIGGER replicated_truncate BEFORE TRUNCATE ON %s
            FOR EACH STATEMENT EXECUTE FUNCTION auditspine.keep_replicated_out()', state);
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE REPLICA TRIGGER replicated', state);
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE REPLICA TRIGGER replicated_truncate', state);
    END LOOP;
END
$guards$;

-- The owner of the schema that CREATE EXTENSION chose may drop it, and all that is in it, whoever owns that; or rename it, and
-- put another in its place, which those who name it would find. A backend that has loaded the library refuses the first
-- (src/ledger/dropping.rs); this loads it, and refuses the second.
CREATE FUNCTION auditspine.on_drop() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'auditspine_on_drop';
REVOKE ALL ON FUNCTION auditspine.on_drop() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.on_drop() IS
    'event trigger: has only the owner of the extension drop it, also with a schema, and rename its schema';

-- Whatever its tag: much can take the partition of an audited table with it, which the library notes as it goes.
CREATE EVENT TRIGGER auditspine_drop ON ddl_command_start
    EXECUTE FUNCTION auditspine.on_drop();
ALTER EVENT TRIGGER auditspine_drop ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER auditspine_drop IS 'keeps the extension from being dropped with its schema, and its schema from being renamed, by who does not own it';
