-- What is in force, held against what the entries of audit_attach() declare: less is a finding, and so is anything else.
\pset format unaligned
\pset tuples_only on
-- Shapes of tables, each made and attached with every option that fits; then what is done to the triggers of each.
CREATE TABLE shape (name text, columns text, partitions text[], key text);
INSERT INTO shape VALUES
    ('plain', '(id integer PRIMARY KEY, tenant text NOT NULL, code text NOT NULL UNIQUE, salary integer)', '{}', 'id'),
    ('parted', '(id integer, tenant text NOT NULL, code text NOT NULL, salary integer, PRIMARY KEY (id)) PARTITION BY RANGE (id)',
     '{FOR VALUES FROM (0) TO (10),FOR VALUES FROM (10) TO (20)}', 'id');
CREATE TABLE option (name text, clause text, arguments text[], append_only boolean);
INSERT INTO option VALUES
    ('none', '', '{}', false),
    ('all', 'payload => ''full'', exclude => ''{code}'', chain_by => ''{tenant}'', pk => ''{tenant,id}'', skip_unchanged => true, append_only => true',
     '{payload=full,exclude=code,chain_by=tenant,"pk=tenant,id",unchanged=skip}', true);
-- What is done. $T is the table, $P a partition of it or itself, $A the arguments that were declared.
CREATE TABLE deed (name text, arguments text[], command text, guard boolean, parts boolean);
INSERT INTO deed (name, arguments) VALUES
    ('exclude', '{exclude=salary}'), ('exclude more', '{"exclude=code,salary"}'), ('exclude code', '{exclude=code}'),
    ('exclude nothing', '{"exclude="}'), ('skip', '{unchanged=skip}'), ('record', '{unchanged=record}'), ('hash', '{payload=hash}'),
    ('full', '{payload=full}'), ('chain', '{chain=aside}'), ('main', '{chain=main}'), ('by code', '{chain_by=code}'),
    ('by tenant', '{chain_by=tenant}'), ('key', '{pk=code}');
INSERT INTO deed (name, command, guard, parts) VALUES
    ('disable', 'ALTER TABLE ONLY $P DISABLE TRIGGER auditspine_audit', false, false),
    ('replica', 'ALTER TABLE ONLY $P ENABLE REPLICA TRIGGER auditspine_audit', false, false),
    ('drop', 'DROP TRIGGER auditspine_audit ON $T', false, false),
    ('no updates', 'CREATE OR REPLACE TRIGGER auditspine_audit AFTER INSERT OR DELETE ON $T FOR EACH ROW EXECUTE FUNCTION audit_chain_append($A); $E', false, false),
    ('some columns', 'CREATE OR REPLACE TRIGGER auditspine_audit AFTER INSERT OR DELETE OR UPDATE OF tenant ON $T FOR EACH ROW EXECUTE FUNCTION audit_chain_append($A); $E', false, false),
    ('when', 'CREATE OR REPLACE TRIGGER auditspine_audit AFTER INSERT OR DELETE OR UPDATE ON $T FOR EACH ROW WHEN (false) EXECUTE FUNCTION audit_chain_append($A); $E', false, false),
    ('deferrable', 'DROP TRIGGER auditspine_audit ON $T; CREATE CONSTRAINT TRIGGER auditspine_audit AFTER INSERT OR UPDATE OR DELETE ON $T DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_chain_append($A); $E', false, false),
    ('another kind', 'CREATE OR REPLACE TRIGGER auditspine_audit AFTER INSERT OR UPDATE OR DELETE ON $T FOR EACH ROW EXECUTE FUNCTION audit_chain_append(''other''); $E', false, false),
    ('another function', 'CREATE OR REPLACE TRIGGER auditspine_audit AFTER INSERT OR UPDATE OR DELETE ON $T FOR EACH ROW EXECUTE FUNCTION look_alike($A); $E', false, false),
    ('a second', 'CREATE TRIGGER zz AFTER INSERT OR UPDATE OR DELETE ON $T FOR EACH ROW EXECUTE FUNCTION audit_chain_append($A)', false, false),
    ('truncate dropped', 'DROP TRIGGER auditspine_truncate ON $P', false, false),
    ('truncate disabled', 'ALTER TABLE ONLY $P DISABLE TRIGGER auditspine_truncate', false, false),
    ('truncate never', 'CREATE OR REPLACE TRIGGER auditspine_truncate AFTER TRUNCATE ON $P WHEN (false) EXECUTE FUNCTION audit_chain_append($A)', false, false),
    ('guard dropped', 'DROP TRIGGER auditspine_append_only ON $T', true, false),
    ('guard disabled', 'ALTER TABLE ONLY $P DISABLE TRIGGER auditspine_append_only', true, false),
    ('guard origin', 'ALTER TABLE ONLY $P ENABLE TRIGGER auditspine_append_only', true, false),
    ('guard of updates', 'CREATE OR REPLACE TRIGGER auditspine_append_only BEFORE UPDATE ON $T FOR EACH ROW EXECUTE FUNCTION audit_refuse_change(); ALTER TABLE $T ENABLE ALWAYS TRIGGER auditspine_append_only', true, false),
    ('guard never', 'CREATE OR REPLACE TRIGGER auditspine_append_only BEFORE UPDATE OR DELETE ON $T FOR EACH ROW WHEN (false) EXECUTE FUNCTION audit_refuse_change(); ALTER TABLE $T ENABLE ALWAYS TRIGGER auditspine_append_only', true, false),
    ('guard of truncate dropped', 'DROP TRIGGER auditspine_append_only_truncate ON $P', true, false),
    ('guard of truncate disabled', 'ALTER TABLE ONLY $P DISABLE TRIGGER auditspine_append_only_truncate', true, false);
SELECT create_chain('aside');
-- Of the same symbol, and not the extension's.
DO $$
BEGIN
    EXECUTE (SELECT replace(pg_get_functiondef(oid), 'audit_chain_append()', 'look_alike()') FROM pg_proc WHERE proname = 'audit_chain_append' AND pronargs = 0);
END $$;
-- What verify_table() says of each: before, after, and once the table is attached anew as it was declared.
CREATE TABLE outcome (shape text, option text, deed text, part boolean, before boolean, after boolean, again boolean, findings text);
SET client_min_messages = warning;
DO $$
DECLARE
    s shape; o option; d deed; part boolean; at integer := 0; t text; p text; arguments text; command text; result outcome; enable text;
BEGIN
    -- The least and the most that can be declared.
    FOR s IN SELECT * FROM shape LOOP FOR o IN SELECT * FROM option WHERE name = CASE s.name WHEN 'plain' THEN 'none' ELSE 'all' END LOOP
        FOR d IN SELECT * FROM deed WHERE (guard IS NOT true OR o.append_only) LOOP FOR part IN SELECT false UNION SELECT true WHERE s.partitions <> '{}' AND d.command LIKE '%$P%' LOOP
            at := at + 1;
            t := 't' || at;
            EXECUTE format('CREATE TABLE %I %s', t, s.columns);
            FOR i IN 1 .. cardinality(s.partitions) LOOP
                EXECUTE format('CREATE TABLE %I PARTITION OF %I %s', t || '_' || i, t, s.partitions[i]);
            END LOOP;
            EXECUTE format('SELECT audit_attach(%L %s)', t, CASE WHEN o.clause <> '' THEN ', ' || o.clause ELSE '' END);
            EXECUTE format('INSERT INTO %I SELECT i, ''a'' || i %% 2, ''c'' || i, i FROM generate_series(5, 14) AS i', t);
            result := (s.name, o.name, d.name, part, NULL, NULL, NULL, NULL)::outcome;
            SELECT ok INTO result.before FROM verify_table(t::regclass);
            p := CASE WHEN part THEN t || '_2' ELSE t END;
            SELECT string_agg(quote_literal(a), ', ') INTO arguments FROM unnest(ARRAY[t] || o.arguments) AS a;
            enable := format('ALTER TABLE %I ENABLE ALWAYS TRIGGER auditspine_audit', t);
            IF d.arguments IS NOT NULL THEN
                -- The deed's argument in the place of the declared one.
                SELECT string_agg(quote_literal(a), ', ') INTO arguments
                FROM (SELECT t UNION ALL SELECT a FROM unnest(o.arguments) AS a
                      WHERE replace(split_part(a, '=', 1), 'chain_by', 'chain') <> replace(split_part(d.arguments[1], '=', 1), 'chain_by', 'chain')
                      UNION ALL SELECT d.arguments[1] WHERE d.arguments[1] <> 'exclude=') AS v (a);
                d.command := 'CREATE OR REPLACE TRIGGER auditspine_audit AFTER INSERT OR UPDATE OR DELETE ON $T FOR EACH ROW EXECUTE FUNCTION audit_chain_append($A); $E';
            END IF;
            EXECUTE replace(replace(replace(replace(d.command, '$T', quote_ident(t)), '$P', quote_ident(p)), '$A', arguments), '$E', enable);
            SELECT bool_and(ok) INTO result.after FROM verify_table(t::regclass);
            SELECT string_agg(DISTINCT finding, ', ' ORDER BY finding) INTO result.findings FROM verify_table_findings(t::regclass);
            EXECUTE format('SELECT audit_attach(%L %s)', t, CASE WHEN o.clause <> '' THEN ', ' || o.clause ELSE '' END);
            SELECT bool_and(ok) INTO result.again FROM verify_table(t::regclass) WHERE kind = t;
            INSERT INTO outcome SELECT result.*;
        END LOOP; END LOOP;
    END LOOP; END LOOP;
END $$;
RESET client_min_messages;
-- Clean before and once it is attached again, and only what was declared anyhow is clean in between.
SELECT count(*) > 60 AS many, bool_and(before) AS clean_before, bool_and(again) AS clean_again FROM outcome;
SELECT DISTINCT deed, part, option FROM outcome WHERE NOT again ORDER BY 1, 2, 3;
SELECT deed, array_agg(DISTINCT option ORDER BY option) FROM outcome WHERE after GROUP BY deed ORDER BY deed;
SELECT deed, findings, count(*) FROM outcome WHERE NOT after GROUP BY deed, findings ORDER BY deed, findings;

-- Names follow: columns that are renamed, dropped, added; the table, its schema; partitions that come.
CREATE TABLE "Staff" (id integer, tenant text, code text, salary integer, PRIMARY KEY (tenant, id)) PARTITION BY LIST (tenant);
CREATE TABLE staff_a PARTITION OF "Staff" FOR VALUES IN ('a');
SELECT audit_attach('"Staff"', pk => '{tenant,id}', chain_by => '{tenant}', exclude => '{code,salary}', append_only => true);
INSERT INTO "Staff" VALUES (1, 'a', 'c', 1);
ALTER TABLE "Staff" RENAME COLUMN tenant TO "Tenant, new";
ALTER TABLE "Staff" RENAME COLUMN id TO number;
ALTER TABLE "Staff" RENAME COLUMN code TO secret;
ALTER TABLE "Staff" DROP COLUMN salary;
ALTER TABLE "Staff" ADD COLUMN note text;
CREATE TABLE staff_b PARTITION OF "Staff" FOR VALUES IN ('b') PARTITION BY RANGE (number);
CREATE TABLE staff_b1 PARTITION OF staff_b FOR VALUES FROM (0) TO (10);
CREATE TABLE staff_c (number integer NOT NULL, "Tenant, new" text NOT NULL, secret text, note text);
ALTER TABLE "Staff" ATTACH PARTITION staff_c FOR VALUES IN ('c');
INSERT INTO "Staff" VALUES (1, 'b', 'c', 'n'), (2, 'c', 'd', 'n');
ALTER TABLE "Staff" RENAME TO people;
SELECT kind, ok, rows, findings FROM verify_table('people');
SELECT tab, finding, detail FROM (SELECT table_name AS tab, * FROM verify_table_findings('people')) AS f;

-- Children by INHERITS: of a table that is attached, and of one that is attached later.
CREATE TABLE parent (id integer PRIMARY KEY, v integer);
SELECT audit_attach('parent');
INSERT INTO parent VALUES (1, 1);
CREATE TABLE child (extra text) INHERITS (parent);
CREATE TABLE grandchild (PRIMARY KEY (id)) INHERITS (child);
CREATE TEMPORARY TABLE fleeting () INHERITS (parent);
INSERT INTO grandchild VALUES (7, 7, 'x');
SELECT finding, detail FROM verify_table_findings('parent');
SELECT audit_attach('parent', payload => 'full');
ALTER TABLE child ADD PRIMARY KEY (id);
SELECT audit_attach('child');
SELECT audit_attach('grandchild', backfill => true);
SELECT subject, ok, findings FROM verify_all() WHERE subject LIKE '%parent' OR subject LIKE '%child' ORDER BY 1;
ALTER TABLE grandchild DISABLE TRIGGER auditspine_audit;
SELECT finding, detail FROM verify_table_findings('parent');
ALTER TABLE grandchild ENABLE ALWAYS TRIGGER auditspine_audit;
UPDATE parent SET v = v + 1;
SELECT kind, ok, rows FROM verify_table('parent') UNION ALL SELECT kind, ok, rows FROM verify_table('grandchild');
CREATE TABLE slipped_in (id integer NOT NULL, v integer);
INSERT INTO slipped_in VALUES (777, 777);
ALTER TABLE slipped_in INHERIT parent;
SELECT ok, findings FROM verify_table('parent');
ALTER TABLE slipped_in NO INHERIT parent;
SELECT ok, findings FROM verify_table('parent');
