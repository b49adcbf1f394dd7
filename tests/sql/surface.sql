-- The SQL surface: everything that CREATE EXTENSION installs, exactly. An object that is not meant to
-- be there, or whose signature, volatility or privileges changed, shows here.
DROP EXTENSION auditspine;
CREATE SCHEMA verbs;
CREATE EXTENSION auditspine SCHEMA verbs;

-- Every object; types that merely come with a table or another type, which some versions list, left out.
SELECT pg_describe_object(classid, objid, objsubid) AS object
FROM pg_depend
WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'auditspine')
  AND NOT EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = typrelid
                  WHERE classid = 'pg_type'::regclass AND t.oid = objid AND (typelem <> 0 OR relkind <> 'c'))
ORDER BY pg_describe_object(classid, objid, objsubid) COLLATE "C";

-- Verbs are in the chosen schema, state in its own, and both belong together.
SELECT extnamespace::regnamespace AS verbs, extrelocatable AS relocatable FROM pg_extension
WHERE extname = 'auditspine';

-- What is the user's, and therefore in dumps.
SELECT config::regclass, condition
FROM pg_extension, unnest(extconfig, extcondition) AS u(config, condition)
WHERE extname = 'auditspine' ORDER BY config::regclass::text COLLATE "C";

-- Functions.
SELECT p.oid::regprocedure AS function, pg_get_function_result(p.oid) AS result,
       pg_get_function_arguments(p.oid) AS arguments,
       p.provolatile AS volatility, p.proparallel AS parallel, p.proisstrict AS strict,
       p.prosecdef AS definer, l.lanname AS language
FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid JOIN pg_language l ON l.oid = p.prolang
WHERE d.deptype = 'e' AND d.classid = 'pg_proc'::regclass
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'auditspine')
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- Composite types that results have, tables, and their columns.
SELECT attrelid::regclass AS relation, attnum, attname, format_type(atttypid, atttypmod) AS type,
       attnotnull AS not_null, collname AS collation, pg_get_expr(adbin, adrelid) AS "default"
FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
LEFT JOIN pg_collation co ON co.oid = attcollation
WHERE relnamespace = 'auditspine'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'c') AND attnum > 0
ORDER BY attrelid::regclass::text COLLATE "C", attnum;

SELECT conrelid::regclass AS relation, conname, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE connamespace = 'auditspine'::regnamespace AND contype <> 'n'
ORDER BY conrelid::regclass::text COLLATE "C", conname COLLATE "C";

SELECT indrelid::regclass AS relation, pg_get_indexdef(indexrelid) AS definition
FROM pg_index JOIN pg_class c ON c.oid = indrelid
WHERE relnamespace = 'auditspine'::regnamespace ORDER BY pg_get_indexdef(indexrelid) COLLATE "C";

SELECT tgrelid::regclass AS relation, tgname, tgenabled, pg_get_triggerdef(t.oid) AS definition
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
WHERE relnamespace = 'auditspine'::regnamespace AND NOT tgisinternal
ORDER BY tgrelid::regclass::text COLLATE "C", tgname COLLATE "C";

SELECT seqrelid::regclass AS sequence, seqtypid::regtype AS type, seqstart, seqincrement, seqmin, seqmax,
       seqcache, seqcycle
FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid
WHERE relnamespace = 'auditspine'::regnamespace ORDER BY seqrelid::regclass::text COLLATE "C";

-- Privileges of anybody but the owner.
SELECT 'schema ' || nspname AS object, coalesce(nullif(grantee, 0)::regrole::text, 'public') AS grantee, privilege_type
FROM pg_namespace, aclexplode(nspacl)
WHERE nspname IN ('auditspine', 'verbs') AND grantee <> nspowner
UNION ALL
SELECT c.oid::regclass::text, coalesce(nullif(grantee, 0)::regrole::text, 'public'), privilege_type
FROM pg_class c, aclexplode(relacl)
WHERE relnamespace = 'auditspine'::regnamespace AND grantee <> relowner
UNION ALL
SELECT p.oid::regprocedure::text, coalesce(nullif(grantee, 0)::regrole::text, 'public'), privilege_type
FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner)))
WHERE pronamespace IN ('verbs'::regnamespace, 'auditspine'::regnamespace) AND grantee <> proowner
ORDER BY 1, 2, 3;

-- Settings.
SELECT name, setting, unit, vartype, context, min_val, max_val FROM pg_settings
WHERE name LIKE 'auditspine.%' ORDER BY name COLLATE "C";

-- What is there from the start.
SELECT chain_id, name, lanes, created_at IS NOT NULL AS created FROM auditspine.chain;
SELECT count(*) FROM auditspine.audit_chain;

-- Nothing is left behind, and it can be installed again.
DROP EXTENSION auditspine;
SELECT count(*) AS left_behind FROM pg_namespace WHERE nspname = 'auditspine';
SELECT count(*) AS left_behind FROM pg_proc WHERE pronamespace = 'verbs'::regnamespace;

-- A schema planted beforehand makes the install fail.
\set VERBOSITY terse
CREATE SCHEMA auditspine;
CREATE EXTENSION auditspine;
DROP SCHEMA auditspine;

-- Relocating is refused.
CREATE EXTENSION auditspine;
ALTER EXTENSION auditspine SET SCHEMA verbs;
DROP EXTENSION auditspine;
DROP SCHEMA verbs;
