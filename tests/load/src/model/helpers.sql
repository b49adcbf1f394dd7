-- How the model looks at tables: as text under fixed settings, without any function of the extension on a row.
CREATE SCHEMA helper;
CREATE TABLE helper.subject (id integer PRIMARY KEY, rel regclass NOT NULL);
CREATE FUNCTION helper.rows(target oid, OUT place text, OUT rid bigint, OUT cells text[]) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET timezone = 'UTC'
SET extra_float_digits = 3 SET bytea_output = 'hex' SET quote_all_identifiers = off SET xmloption = 'content' SET row_security = off AS $$
DECLARE
    list text;
BEGIN
    SELECT string_agg(format('CASE WHEN t.%1$I IS DISTINCT FROM NULL THEN format(''%%s'', t.%1$I%2$s) END', attname,
                      CASE WHEN atttypid IN ('regclass'::regtype, 'regtype'::regtype, 'regproc'::regtype, 'regrole'::regtype) THEN '::oid' END), ', ' ORDER BY attnum)
    INTO list FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped;
    IF list IS NOT NULL THEN
        RETURN QUERY EXECUTE format('SELECT concat_ws('' '', t.tableoid, t.ctid, t.xmin), t.rid::bigint, ARRAY[%s]::text[] FROM %s %s AS t ORDER BY 2, 1',
            list, (SELECT CASE relkind WHEN 'r' THEN 'ONLY' ELSE '' END FROM pg_class WHERE oid = target), target::regclass);
    END IF;
END $$;
CREATE FUNCTION helper.subjects() RETURNS TABLE (id integer, rel oid, kind text, pk text[], chain_by text[], payload text, exclude text[],
    skip boolean, numbers smallint[], names text[], types text[], leaves text, distinct_keys boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.id, s.rel, a.kind, a.pk, a.chain_by, a.payload, a.exclude, a.skip_unchanged, c.*,
           (SELECT string_agg(p.relid::oid::text, ' ' ORDER BY p.relid::oid) FROM pg_partition_tree(s.rel) AS p WHERE p.isleaf),
           EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = s.rel AND i.indisunique AND i.indpred IS NULL
                   AND (SELECT array_agg(k.attname::text ORDER BY k.attname::text) FROM pg_attribute AS k
                        WHERE k.attrelid = s.rel AND k.attnum = ANY (i.indkey))
                       = (SELECT array_agg(name ORDER BY name) FROM unnest(a.pk) AS name))
    FROM helper.subject AS s JOIN pg_class AS r ON r.oid = s.rel
    LEFT JOIN auditspine.audited_table AS a ON a.table_name = s.rel
    CROSS JOIN LATERAL (SELECT array_agg(attnum ORDER BY attnum), array_agg(attname::text ORDER BY attnum),
                               array_agg(concat_ws(' ', atttypid, atttypmod, format_type(atttypid, atttypmod)) ORDER BY attnum)
                        FROM pg_attribute WHERE attrelid = s.rel AND attnum > 0 AND NOT attisdropped) AS c
    ORDER BY s.id
$$;
-- Switches the audit off, to see whether PostgreSQL would have taken a statement. To be rolled back.
CREATE FUNCTION helper.mute() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT evtname FROM pg_event_trigger WHERE evtname LIKE 'auditspine%' LOOP
        EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', one.evtname);
    END LOOP;
    FOR one IN SELECT tgrelid::regclass AS rel, tgname FROM pg_trigger JOIN pg_proc AS p ON p.oid = tgfoid
               WHERE p.proname IN ('audit_chain_append', 'audit_refuse_change', 'refuse_change') AND tgrelid::regclass::text !~ '^auditspine' LOOP
        EXECUTE format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', one.rel, one.tgname);
    END LOOP;
END $$;
CREATE FUNCTION helper.all_rows() RETURNS TABLE (id integer, place text, rid bigint, cells text[])
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT s.id, r.place, r.rid, r.cells FROM helper.subject AS s JOIN pg_class AS c ON c.oid = s.rel, helper.rows(s.rel) AS r
$$;
GRANT USAGE ON SCHEMA app, helper, "Other schema" TO PUBLIC;
GRANT SELECT, UPDATE ON SEQUENCE app.rid TO PUBLIC;
