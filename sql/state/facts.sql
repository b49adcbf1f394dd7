-- What the extension's tables, sequences and functions are, a fact a line; facts.txt beside this file has those of a
-- fresh installation. verify_all() compares the two (src/verify/all/state.rs), under search_path = pg_catalog, pg_temp.
-- scripts/state-facts writes facts.txt anew.
WITH extension AS (
    SELECT oid, extowner, extnamespace FROM pg_extension WHERE extname = 'auditspine'
), relation AS (
    SELECT c.*, c.relname::text AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'auditspine' AND c.relkind NOT IN ('i', 'I', 'c', 't')
), member AS (
    SELECT classid, objid FROM pg_depend, extension
    WHERE refclassid = 'pg_extension'::regclass AND refobjid = extension.oid AND deptype = 'e'
)
SELECT fact FROM (
    -- Relations: what they are, whose, and what else a query on them would read.
    SELECT name AS subject, concat_ws(' ', name, 'is', CASE relkind WHEN 'r' THEN 'table' WHEN 'S' THEN 'sequence'
               WHEN 'v' THEN 'view' WHEN 'p' THEN 'partitioned table' ELSE 'relation of kind ' || relkind::text END,
           CASE relpersistence WHEN 'p' THEN NULL WHEN 'u' THEN 'unlogged' ELSE 'temporary' END,
           (SELECT amname FROM pg_am WHERE pg_am.oid = relam AND relkind = 'r' AND amname <> 'heap'),
           CASE WHEN relowner <> extowner THEN 'owned by ' || relowner::regrole END,
           CASE WHEN NOT EXISTS (SELECT FROM member WHERE classid = 'pg_class'::regclass AND objid = relation.oid)
                THEN 'no member of the extension' END,
           CASE WHEN relforcerowsecurity THEN 'with row-level security forced' END,
           CASE WHEN relrowsecurity AND name NOT IN ('chain', 'audit_chain') THEN 'with row-level security' END,
           CASE WHEN relispartition THEN 'a partition' END,
           (SELECT 'inherits from ' || string_agg(inhparent::regclass::text, ', ' ORDER BY inhparent)
            FROM pg_inherits WHERE inhrelid = relation.oid),
           (SELECT 'with children ' || string_agg(inhrelid::regclass::text, ', ' ORDER BY inhrelid)
            FROM pg_inherits WHERE inhparent = relation.oid)) AS fact
    FROM relation, extension
    UNION ALL
    SELECT name, concat_ws(' ', name, 'column', attnum, quote_ident(attname), format_type(atttypid, atttypmod),
           CASE WHEN attnotnull THEN 'not null' END,
           (SELECT 'collate ' || collname FROM pg_collation WHERE pg_collation.oid = attcollation AND collname <> 'default'),
           (SELECT 'default ' || pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum),
           CASE WHEN attgenerated <> '' OR attidentity <> '' THEN 'generated' END)
    FROM relation JOIN pg_attribute ON attrelid = relation.oid
    WHERE relkind <> 'S' AND relkind <> 'v' AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT name, concat_ws(' ', name, 'constraint', quote_ident(conname), pg_get_constraintdef(k.oid),
           CASE WHEN NOT convalidated THEN 'not valid' END,
           CASE WHEN NOT coalesce((SELECT indisvalid AND indisready AND indislive AND indisunique
                                   FROM pg_index WHERE indexrelid = conindid), true) THEN 'without a valid index' END)
    FROM relation JOIN pg_constraint AS k ON conrelid = relation.oid WHERE contype IN ('p', 'u', 'c', 'f', 'x')
    UNION ALL
    -- Users forward alerts and runs with triggers that fire after they are written. What keeps replicated rows out may be
    -- on in any way: ENABLE TRIGGER USER makes it so, and rows that come in all the same are found by the links. So may what
    -- has the ends of lanes searched for.
    SELECT name, concat_ws(' ', name, 'trigger', quote_ident(tgname), tgtype,
           CASE WHEN prosrc IN ('auditspine_keep_replicated_out', 'auditspine_distrust_heads') AND tgenabled <> 'D' THEN 'on'
                WHEN prosrc = 'auditspine_refuse_change' AND tgenabled = 'A' THEN 'O' ELSE tgenabled::text END,
           CASE WHEN tgqual IS NOT NULL OR tgattr <> '' OR tgconstraint <> 0 THEN 'conditional' END,
           prosrc, CASE WHEN NOT EXISTS (SELECT FROM member WHERE classid = 'pg_proc'::regclass AND objid = tgfoid)
                        THEN 'of another function' END)
    FROM relation JOIN pg_trigger ON tgrelid = relation.oid JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE NOT tgisinternal AND NOT (name IN ('alert', 'verification') AND tgtype IN (4, 5)
          AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_proc'::regclass AND objid = tgfoid))
    UNION ALL
    SELECT name, concat_ws(' ', name, 'rule', quote_ident(rulename))
    FROM relation JOIN pg_rewrite ON ev_class = relation.oid WHERE relkind <> 'v'
    UNION ALL
    SELECT name, concat_ws(' ', name, seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache,
           CASE WHEN seqcycle THEN 'cycles' END)
    FROM relation JOIN pg_sequence ON seqrelid = relation.oid
    UNION ALL
    -- Functions: each calls one symbol of the library. Those of the project's own tests are in a schema of theirs.
    SELECT 'function', concat_ws(' ', 'function', CASE WHEN pronamespace = extnamespace THEN 'verbs' ELSE nspname END
                                 || '.' || quote_ident(proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')',
           lanname, CASE lanname WHEN 'c' THEN prosrc WHEN 'internal' THEN prosrc ELSE md5(prosrc) END,
           CASE WHEN lanname = 'c' AND probin <> '$libdir/auditspine' THEN 'in ' || probin END,
           CASE WHEN prosecdef THEN 'security definer' END,
           (SELECT setting FROM unnest(proconfig) AS setting WHERE setting LIKE 'search_path=%'))
    FROM member JOIN pg_proc AS p ON classid = 'pg_proc'::regclass AND p.oid = objid
    JOIN pg_language AS l ON l.oid = prolang JOIN pg_namespace AS n ON n.oid = pronamespace, extension
    WHERE prokind <> 'a' AND nspname <> 'tests'
    UNION ALL
    -- Policies: those that rows of auditspine.auditor make (src/auditor/policies.rs), and no others.
    SELECT name, concat_ws(' ', name, 'policy', quote_ident(polname), 'that no row of auditor makes')
    FROM relation JOIN pg_policy ON polrelid = relation.oid
    WHERE NOT EXISTS (
        SELECT FROM ONLY auditspine.auditor AS a JOIN pg_roles AS r ON r.rolname = a.role_name
        WHERE polroles = ARRAY[r.oid] AND polcmd = 'r' AND polpermissive AND polwithcheck IS NULL
          AND name IN ('chain', 'audit_chain')
          AND CASE WHEN a.chain IS NULL AND a.chain_setting IS NULL THEN pg_get_expr(polqual, polrelid) = 'true'
                   ELSE position(CASE WHEN name = 'chain' THEN quote_literal(coalesce(a.chain, a.chain_setting))
                                      ELSE 'auditspine.chain' END IN pg_get_expr(polqual, polrelid)) > 0
                        AND pg_get_expr(polqual, polrelid) !~ ' OR ' END)
    UNION ALL
    SELECT t.name, concat_ws(' ', t.name, 'without a policy for auditor', quote_ident(a.role_name))
    FROM ONLY auditspine.auditor AS a JOIN pg_roles AS r ON r.rolname = a.role_name
    CROSS JOIN (VALUES ('chain'), ('audit_chain')) AS t (name)
    WHERE NOT EXISTS (SELECT FROM pg_policy JOIN relation ON relation.oid = polrelid
                      WHERE relation.name = t.name AND polroles = ARRAY[r.oid])
    UNION ALL
    SELECT 'event trigger', concat_ws(' ', 'event trigger', quote_ident(evtname), evtevent, evtenabled, evttags::text, prosrc)
    FROM member JOIN pg_event_trigger AS t ON classid = 'pg_event_trigger'::regclass AND t.oid = objid
    JOIN pg_proc AS p ON p.oid = evtfoid
) AS facts
ORDER BY fact COLLATE "C";
