-- docs/REFERENCE.md against the catalog: what it lacks, or says otherwise. Every list here must be empty. A new
-- function, argument, result column, setting, table, view or column, and a changed privilege, shows here.
\pset format unaligned
\set document `cat "${PG_ABS_SRCDIR:-tests}/../docs/REFERENCE.md"`
CREATE TEMP TABLE paragraph AS
SELECT text FROM regexp_split_to_table(:'document', E'\n\n+|\n(?=[|])') AS text;
-- A section begins with the name of a table, view or type in its heading.
CREATE TEMP TABLE section AS
SELECT substring(text FROM '^`(auditspine\.\w+)`') AS relation, text FROM regexp_split_to_table(:'document', E'\n##+ ') AS text;

CREATE TEMP TABLE function AS
SELECT p.oid, p.proallargtypes, p.proargmodes, p.proargnames,
       format('`%s%s(%s)`', CASE WHEN pronamespace = 'auditspine'::regnamespace THEN 'auditspine.' END, proname,
              regexp_replace(pg_get_function_arguments(p.oid), '(DEFAULT [^:,]*)::[a-z ]+(\[\])?', '\1', 'g')) AS signature,
       has_function_privilege('public', p.oid, 'EXECUTE') AS is_public
FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
WHERE d.deptype = 'e' AND d.classid = 'pg_proc'::regclass
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'auditspine');

-- What a function is said to be stands where its signature is in bold, or begins a row of a table.
CREATE TEMP TABLE described AS
SELECT f.oid, p.text FROM function f
JOIN paragraph p ON strpos(p.text, format('**%s**', signature)) > 0 OR strpos(p.text, format('| %s |', signature)) = 1;

SELECT signature AS function_missing FROM function f
WHERE NOT EXISTS (SELECT FROM described d WHERE d.oid = f.oid)
ORDER BY signature COLLATE "C";

SELECT f.signature, column_name AS result_column_missing
FROM function f, unnest(f.proargnames, f.proargmodes) AS a(column_name, mode)
WHERE mode = 't' AND NOT EXISTS (
    SELECT FROM described d WHERE d.oid = f.oid AND strpos(d.text, format('`%s`', column_name)) > 0)
ORDER BY f.signature COLLATE "C", column_name COLLATE "C";

SELECT f.signature AS privilege_wrong, is_public FROM function f
WHERE EXISTS (SELECT FROM described d WHERE d.oid = f.oid AND (strpos(d.text, 'Needs EXECUTE') > 0) = f.is_public)
ORDER BY f.signature COLLATE "C";

-- Functions that are gone, or have other arguments by now.
SELECT DISTINCT m[1] AS function_unknown
FROM regexp_matches(:'document', E'(?:\\*\\*|\n\\| )(`[a-z_.]+\\([^`]*\\)`)(?:\\*\\*| \\|)', 'g') AS m
WHERE m[1] NOT IN (SELECT signature FROM function) ORDER BY 1;

LOAD 'auditspine';
SELECT name AS setting_missing FROM pg_settings
WHERE name LIKE 'auditspine.%' AND NOT EXISTS (SELECT FROM paragraph p WHERE strpos(p.text, format('| `%s` |', name)) = 1)
ORDER BY name COLLATE "C";

CREATE TEMP TABLE relation AS
SELECT c.oid, format('auditspine.%s', relname) AS name, relkind
FROM pg_class c
WHERE relnamespace = 'auditspine'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'c', 'S');

SELECT name AS relation_missing FROM relation r
WHERE relkind <> 'S' AND NOT EXISTS (SELECT FROM section s WHERE s.relation = r.name)
   OR relkind = 'S' AND NOT EXISTS (SELECT FROM section s WHERE strpos(s.text, format('`%s`', r.name)) > 0)
ORDER BY name COLLATE "C";

SELECT r.name AS relation, attname AS column_missing, format_type(atttypid, atttypmod) AS type
FROM relation r JOIN pg_attribute a ON attrelid = r.oid AND attnum > 0 AND NOT attisdropped
JOIN section s ON s.relation = r.name
WHERE relkind <> 'S' AND strpos(s.text, format(E'\n| `%s` | %s | ', attname, format_type(atttypid, atttypmod))) = 0
ORDER BY r.name COLLATE "C", attnum;

-- Relations and columns that are gone.
SELECT s.relation AS relation_unknown FROM section s
WHERE s.relation IS NOT NULL AND s.relation NOT IN (SELECT name FROM relation) ORDER BY 1;
SELECT s.relation, m[1] AS column_unknown
FROM section s JOIN relation r ON r.name = s.relation, regexp_matches(s.text, E'\n\\| `(\\w+)` \\|', 'g') AS m
WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = r.oid AND attname = m[1] AND attnum > 0)
ORDER BY 1, 2;

-- And there was something to compare.
SELECT (SELECT count(*) FROM function) > 60 AS functions, (SELECT count(*) FROM relation) > 25 AS relations,
       (SELECT count(*) FROM pg_settings WHERE name LIKE 'auditspine.%') > 5 AS settings;
