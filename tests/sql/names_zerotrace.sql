-- Blueprint zerotrace: the names that applications know. What is listed here must be there as it is listed; what is
-- missing or differs is told.
SELECT install_blueprint('zerotrace');

-- Tables: each column in its order, its type, ! where it cannot be null, = its default. Each is there under two names,
-- the second of which has _partitioned behind it; agents is there under one.
CREATE TABLE listed (tbl text PRIMARY KEY, columns text);
INSERT INTO listed VALUES
    ('vulnerabilities_v2', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; organization_id uuid; title varchar(500)!; description text; severity varchar(20)!; category varchar(50)!; status varchar(50) = ''open''; discovered_at timestamptz = now(); last_seen timestamptz = now(); risk_score numeric(4,2) = 0.0; exploit_complexity varchar(20); attack_vector varchar(50); compliance_frameworks jsonb = ''[]''; remediation text; references jsonb = ''[]''; tags jsonb = ''[]''; metadata jsonb = ''{}''; enrichment_data jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('network_findings', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; scan_id uuid; host varchar(255)!; port integer!; protocol varchar(10)!; service_name varchar(100); service_version varchar(100); banner text; ssl_enabled boolean = false; ssl_version varchar(20); ssl_cipher varchar(100); ssl_certificate_issuer varchar(255); ssl_certificate_expiry timestamptz; vulnerability_count integer = 0; status varchar(20) = ''open''; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('compliance_checks', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; framework varchar(50)!; category varchar(100)!; requirement varchar(500)!; status varchar(20)!; severity varchar(20); description text; remediation text; evidence jsonb = ''{}''; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('system_vulnerabilities', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; vulnerability_type varchar(50)!; os_name varchar(100); os_version varchar(100); component_name varchar(255); component_version varchar(100); cve_id varchar(20); severity varchar(20)!; title varchar(500)!; description text; remediation text; patch_available boolean = false; patch_url varchar(500); eol_date date; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('auth_findings', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; finding_type varchar(50)!; user_account varchar(255); severity varchar(20)!; title varchar(500)!; description text; risk_score numeric(4,2) = 0.0; remediation text; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('database_findings', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; database_type varchar(50)!; host varchar(255)!; port integer; database_name varchar(100); finding_type varchar(50)!; severity varchar(20)!; title varchar(500)!; description text; remediation text; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('api_findings', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; api_type varchar(20)!; endpoint varchar(500)!; method varchar(10); finding_type varchar(50)!; severity varchar(20)!; title varchar(500)!; description text; remediation text; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('container_findings', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; container_id varchar(100); image_name varchar(255); image_tag varchar(100); finding_type varchar(50)!; severity varchar(20)!; title varchar(500)!; description text; remediation text; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('ai_ml_findings', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; finding_type varchar(50)!; model_name varchar(255); model_version varchar(100); framework varchar(100); severity varchar(20)!; title varchar(500)!; description text; remediation text; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('iot_ot_findings', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; device_type varchar(50)!; device_id varchar(100); protocol varchar(20); finding_type varchar(50)!; severity varchar(20)!; title varchar(500)!; description text; remediation text; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('privacy_findings', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; finding_type varchar(50)!; data_type varchar(50); location varchar(500); severity varchar(20)!; title varchar(500)!; description text; remediation text; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('web3_findings', 'id uuid! = gen_random_uuid(); agent_id uuid!; company_id uuid!; finding_type varchar(50)!; contract_address varchar(100); network varchar(50); severity varchar(20)!; title varchar(500)!; description text; remediation text; metadata jsonb = ''{}''; created_at timestamptz = now(); updated_at timestamptz = now()'),
    ('agents', 'id uuid!; hostname text; os text; os_version text');
INSERT INTO listed SELECT tbl || '_partitioned', columns FROM listed WHERE tbl <> 'agents';
CREATE VIEW listed_column AS
SELECT tbl, n AS place, m[1] AS name,
       replace(replace(m[2], 'varchar', 'character varying'), 'timestamptz', 'timestamp with time zone') AS type, m[3] IS NOT NULL AS required,
       m[4] AS "default"
FROM listed, unnest(string_to_array(columns, '; ')) WITH ORDINALITY c (definition, n), regexp_match(definition, '^(\w+) ([\w(),]+)(!)?(?: = (.*))?$') m;

-- What a column may hold, where that is a list.
CREATE TABLE listed_values (tbl text, name text, words text[]);
INSERT INTO listed_values VALUES
    ('vulnerabilities_v2', 'severity', '{critical,high,medium,low,info}'),
    ('vulnerabilities_v2', 'category', '{application,network,configuration,system,auth,database,api,container,ai,iot,privacy,web3}'),
    ('compliance_checks', 'framework', '{CIS,PCI-DSS,HIPAA,GDPR,SOC2,ISO27001}'),
    ('compliance_checks', 'status', '{pass,fail,not_applicable,error}'),
    ('system_vulnerabilities', 'vulnerability_type', '{os_patch,kernel,driver,eol_software}'),
    ('auth_findings', 'finding_type', '{password_policy,account_security,privilege_escalation,auth_bypass}'),
    ('database_findings', 'database_type', '{postgresql,mysql,mongodb,redis,sqlserver,oracle}'),
    ('api_findings', 'api_type', '{REST,GraphQL,SOAP,gRPC}'),
    ('ai_ml_findings', 'finding_type', '{model_vulnerability,training_data,llm_security,bias_fairness}'),
    ('privacy_findings', 'finding_type', '{pii_detection,gdpr_compliance,ccpa_compliance,data_retention}'),
    ('web3_findings', 'finding_type', '{smart_contract,wallet_security,dapp_security,defi_risks}');
CREATE VIEW there_values AS
SELECT relname::text AS tbl, m[1] AS name, ARRAY(SELECT w[1] FROM regexp_matches(m[2], '''([^'']*)''::', 'g') w) AS words
FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid, regexp_match(pg_get_constraintdef(k.oid), '^CHECK \(\(\((\w+)\)::text = ANY (.*)\)\)$') m
WHERE connamespace = 'zerotrace'::regnamespace AND contype = 'c' AND relkind = 'p' AND NOT relispartition AND m IS NOT NULL;

-- Indexes.
CREATE TABLE listed_index (name text, columns text);
INSERT INTO listed_index VALUES
    ('agent_id', 'btree (agent_id)'), ('company_id', 'btree (company_id)'), ('severity', 'btree (severity)'), ('category', 'btree (category)'), ('status', 'btree (status)'),
    ('risk_score', 'btree (risk_score)'), ('discovered_at', 'btree (discovered_at)'), ('company_severity', 'btree (company_id, severity)'),
    ('company_category', 'btree (company_id, category)'), ('company_status', 'btree (company_id, status)'),
    ('search', 'gin (to_tsvector(''english''::regconfig, (((title)::text || '' ''::text) || COALESCE(description, ''''::text))))');

-- Views and functions.
CREATE TABLE listed_view (name text, columns text);
INSERT INTO listed_view VALUES
    ('vulnerability_summary_v2', 'id uuid, agent_id uuid, company_id uuid, title varchar(500), severity varchar(20), category varchar(50), status varchar(50), risk_score numeric(4,2), discovered_at timestamptz, last_seen timestamptz, hostname text, os text, os_version text'),
    ('compliance_summary', 'company_id uuid, framework varchar(50), total_checks bigint, passed_checks bigint, failed_checks bigint, not_applicable_checks bigint, compliance_score numeric'),
    ('network_security_summary', 'company_id uuid, agent_id uuid, total_findings bigint, non_ssl_services bigint, vulnerable_services bigint, unique_hosts bigint, unique_ports bigint');
UPDATE listed_view SET columns = replace(replace(columns, 'varchar', 'character varying'), 'timestamptz', 'timestamp with time zone');
CREATE TABLE listed_function (signature text, arguments text, result text);
INSERT INTO listed_function VALUES
    ('set_company_context(uuid)', 'company_id uuid', 'void'),
    ('get_security_statistics(uuid, timestamptz, timestamptz)',
     'p_company_id uuid, p_date_from timestamp with time zone DEFAULT NULL::timestamp with time zone, p_date_to timestamp with time zone DEFAULT NULL::timestamp with time zone',
     'TABLE(total_vulnerabilities bigint, vulnerabilities_by_category jsonb, vulnerabilities_by_severity jsonb, compliance_scores jsonb, network_findings_count bigint, system_vulnerabilities_count bigint, auth_findings_count bigint, database_findings_count bigint, api_findings_count bigint, container_findings_count bigint, ai_ml_findings_count bigint, iot_ot_findings_count bigint, privacy_findings_count bigint, web3_findings_count bigint)'),
    ('get_risk_heatmap_data(uuid, timestamptz, timestamptz)',
     'p_company_id uuid, p_date_from timestamp with time zone DEFAULT NULL::timestamp with time zone, p_date_to timestamp with time zone DEFAULT NULL::timestamp with time zone',
     'TABLE(category character varying, severity character varying, count bigint, risk_score numeric)');

CREATE FUNCTION differences() RETURNS TABLE (what text, name text, wanted text, found text) LANGUAGE sql AS $$
    SELECT 'table', tbl, 'a table', coalesce(relkind::text, 'nothing')
    FROM listed LEFT JOIN pg_class ON relname = tbl AND relnamespace = 'zerotrace'::regnamespace
    WHERE relkind IS DISTINCT FROM CASE tbl WHEN 'agents' THEN 'r' ELSE 'p' END::"char"
    UNION ALL
    -- A default of a column that has none in the list is allowed: what can be left out is left out with less.
    SELECT 'column', l.tbl || '.' || l.name, format('%s: %s%s %s', place, type, CASE WHEN required THEN '!' END, l."default"),
           format('%s: %s%s %s', attnum, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN '!' END, pg_get_expr(adbin, adrelid))
    FROM listed_column l
    LEFT JOIN (pg_attribute JOIN pg_class c ON c.oid = attrelid AND relnamespace = 'zerotrace'::regnamespace) ON relname = tbl AND attname = l.name
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attnum IS DISTINCT FROM place OR format_type(atttypid, atttypmod) IS DISTINCT FROM type OR attnotnull IS DISTINCT FROM required
       OR l."default" IS NOT NULL AND regexp_replace(pg_get_expr(adbin, adrelid), '::[a-z ]+$', '') IS DISTINCT FROM l."default"
    UNION ALL
    SELECT 'no row without', tbl || '.' || attname, 'a default, or null', 'neither'
    FROM listed JOIN pg_class c ON relname = tbl AND relnamespace = 'zerotrace'::regnamespace JOIN pg_attribute ON attrelid = c.oid
    WHERE attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef AND NOT EXISTS (SELECT FROM listed_column l WHERE l.tbl = relname AND l.name = attname AND required)
    UNION ALL
    SELECT 'primary key', l.tbl, 'id, and company_id, by which tables are partitioned', coalesce(pg_get_constraintdef(k.oid), 'none')
    FROM listed l LEFT JOIN pg_class c ON relname = tbl AND relnamespace = 'zerotrace'::regnamespace LEFT JOIN pg_constraint k ON conrelid = c.oid AND contype = 'p'
    WHERE pg_get_constraintdef(k.oid) IS DISTINCT FROM 'PRIMARY KEY (company_id, id)'
    UNION ALL
    SELECT 'reference', conrelid::regclass::text, 'none', pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'zerotrace'::regnamespace AND contype = 'f'
    UNION ALL
    SELECT 'values', coalesce(l.tbl, t.tbl) || '.' || coalesce(l.name, t.name), l.words::text, t.words::text
    FROM listed_values l FULL JOIN there_values t ON l.tbl = t.tbl AND l.name = t.name WHERE l.words IS DISTINCT FROM t.words
    UNION ALL
    SELECT 'index', 'idx_vulnerabilities_v2_' || l.name, columns, coalesce(indexdef, 'none')
    FROM listed_index l LEFT JOIN pg_indexes ON schemaname = 'zerotrace' AND indexname = 'idx_vulnerabilities_v2_' || l.name
    WHERE indexdef IS DISTINCT FROM format('CREATE INDEX %s ON ONLY zerotrace.vulnerabilities_v2_partitioned USING %s', indexname, columns)
    UNION ALL
    SELECT 'partition', name, 'remainder ' || n, coalesce(pg_get_expr(relpartbound, c.oid), 'none')
    FROM generate_series(0, 3) n CROSS JOIN format('vulnerabilities_v2_partition_%s', n) name LEFT JOIN pg_class c ON relname = name AND relnamespace = 'zerotrace'::regnamespace
    WHERE pg_get_expr(relpartbound, c.oid) IS DISTINCT FROM format('FOR VALUES WITH (modulus 4, remainder %s)', n)
       OR NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid AND inhparent = to_regclass('zerotrace.vulnerabilities_v2_partitioned'))
    UNION ALL
    SELECT 'partitioned by', tbl, 'HASH (company_id)', coalesce(pg_get_partkeydef(to_regclass('zerotrace.' || tbl)), 'nothing') FROM listed
    WHERE tbl <> 'agents' AND pg_get_partkeydef(to_regclass('zerotrace.' || tbl)) IS DISTINCT FROM 'HASH (company_id)'
    UNION ALL
    SELECT 'policy', tbl, name || ' for all', coalesce(polname || ' ' || polcmd::text, 'none') || CASE WHEN relrowsecurity THEN '' ELSE ', row-level security is off' END
    FROM listed CROSS JOIN LATERAL (SELECT replace(tbl, '_partitioned', '') || '_isolation') n (name)
    LEFT JOIN pg_class c ON relname = tbl AND relnamespace = 'zerotrace'::regnamespace LEFT JOIN pg_policy ON polrelid = c.oid AND polname = name
    WHERE relrowsecurity IS NOT TRUE OR polcmd IS DISTINCT FROM '*'
    UNION ALL
    SELECT 'view', l.name, columns, coalesce(found, 'none')
    FROM listed_view l LEFT JOIN LATERAL (
        SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS found
        FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 WHERE relname = l.name AND relkind = 'v' AND relnamespace = 'zerotrace'::regnamespace) v ON true
    WHERE found IS DISTINCT FROM columns
    UNION ALL
    SELECT 'function', signature, arguments || ' -> ' || result, coalesce(pg_get_function_arguments(p) || ' -> ' || pg_get_function_result(p), 'none')
    FROM listed_function CROSS JOIN to_regprocedure('zerotrace.' || signature) p
    WHERE pg_get_function_arguments(p) IS DISTINCT FROM arguments OR pg_get_function_result(p) IS DISTINCT FROM result
$$;
SELECT * FROM differences() ORDER BY what COLLATE "C", name COLLATE "C";
SELECT count(*) FILTER (WHERE tbl !~ '_partitioned$' OR tbl = 'agents') AS tables,
       (SELECT count(*) FROM listed_column WHERE tbl !~ '_partitioned$') AS columns, (SELECT count(*) FROM listed_view) AS views,
       (SELECT sum(cardinality(string_to_array(columns, ', '))) FROM listed_view) AS view_columns, (SELECT count(*) FROM listed_function) AS functions,
       (SELECT count(*) FROM listed_index) AS indexes, (SELECT sum(cardinality(words)) FROM listed_values) AS words
FROM listed;
SELECT (SELECT count(*) FROM listed_column WHERE tbl !~ '_partitioned$') + (SELECT count(*) FROM listed WHERE tbl !~ '_partitioned$') + count(*) + sum(cardinality(string_to_array(columns, ', '))) AS names FROM listed_view;

-- What is taken away is told.
BEGIN;
ALTER TABLE zerotrace.web3_findings RENAME contract_address TO address;
ALTER TABLE zerotrace.auth_findings ALTER user_account SET NOT NULL, ALTER risk_score DROP DEFAULT;
ALTER TABLE zerotrace.compliance_checks DROP CONSTRAINT compliance_checks_status_check;
ALTER TABLE zerotrace.agents ALTER name SET NOT NULL;
ALTER TABLE zerotrace.vulnerabilities_v2_partition_2 RENAME TO vulnerabilities_v2_p2;
ALTER TABLE zerotrace.iot_ot_findings_partitioned DISABLE ROW LEVEL SECURITY;
DROP INDEX zerotrace.idx_vulnerabilities_v2_company_status;
ALTER VIEW zerotrace.compliance_summary RENAME COLUMN compliance_score TO score;
ALTER FUNCTION zerotrace.get_security_statistics(uuid, timestamptz, timestamptz) RENAME TO get_statistics;
SELECT what, name, left(wanted, 40) AS wanted, left(found, 60) AS found FROM differences() ORDER BY what COLLATE "C", name COLLATE "C";
ROLLBACK;
SELECT count(*) AS differences FROM differences();
