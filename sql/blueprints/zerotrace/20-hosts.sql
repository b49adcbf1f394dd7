-- Agents, and what they find on hosts and in networks.
--
-- The same columns begin and end each table of findings. Column search is stored, since under row-level security a
-- search cannot go by an index of it (see 50-tenants.sql) and reads all rows of the company. It follows from title and
-- description, which are audited; so it is not audited itself, and no row looks changed when another version of
-- PostgreSQL splits words otherwise.

-- A tsvector has room for a megabyte; a finding must not be lost because its text is longer.
CREATE FUNCTION @schema@.search_document(title text, description text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.english', pg_catalog.left(title, 10000)), 'A')
           OPERATOR(pg_catalog.||)
           pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.english',
                                                       pg_catalog.left(coalesce(description, ''), 100000)), 'B')
$$;
COMMENT ON FUNCTION @schema@.search_document(text, text) IS
    'what full-text search of a finding goes by: the words of its title and description, in English';

CREATE TABLE @schema@.agents (
    company_id     uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id             uuid NOT NULL DEFAULT gen_random_uuid(),
    name           text NOT NULL CHECK (name <> ''),
    agent_type     text NOT NULL CHECK (agent_type IN ('host', 'network', 'container', 'cloud', 'code', 'iot')),
    hostname       text,
    address        inet,
    platform       text CHECK (platform IN ('linux', 'windows', 'macos', 'bsd', 'embedded', 'other')),
    version        text NOT NULL CHECK (version <> ''),
    status         text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'quarantined', 'retired')),
    configuration  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(configuration) = 'object'),
    last_seen_at   timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, id),
    CONSTRAINT agents_name_key UNIQUE (company_id, name)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.agents IS 'scanners of each company; one that has findings is retired, not deleted';
COMMENT ON COLUMN @schema@.agents.last_seen_at IS 'last sign of life; no part of what is audited, and no change of the row';

CREATE TABLE @schema@.vulnerabilities_v2 (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'injection', 'access_control', 'cryptography', 'memory_safety', 'deserialization',
                            'configuration', 'denial_of_service', 'information_disclosure', 'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    vulnerability_type  text NOT NULL CHECK (vulnerability_type IN (
                            'dependency', 'code', 'configuration', 'container', 'infrastructure')),
    cve_id              text CHECK (cve_id ~ '^CVE-[0-9]{4}-[0-9]{4,19}$'),
    cwe_id              text CHECK (cwe_id ~ '^CWE-[0-9]{1,5}$'),
    cvss                numeric(3, 1) CHECK (cvss BETWEEN 0.0 AND 10.0),
    cvss_vector         text
                        CHECK (cvss_vector ~ '^(CVSS:[34]\.[01]/)?[A-Z][A-Za-z]*:[A-Za-z]+(/[A-Za-z]+:[A-Za-z]+)*$'),
    package_name        text,
    package_version     text,
    fixed_version       text,
    exploit_available   boolean NOT NULL DEFAULT false,
    "references"        jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof("references") = 'array'),
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT vulnerabilities_v2_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.vulnerabilities_v2 IS 'known vulnerabilities of software that a company runs or builds';
COMMENT ON COLUMN @schema@.vulnerabilities_v2.cvss IS 'base score; risk_score is what it means to this company';
COMMENT ON COLUMN @schema@.vulnerabilities_v2.fixed_version IS 'the first version without it';
COMMENT ON COLUMN @schema@.vulnerabilities_v2.exploit_available IS 'whether an exploit is public';
COMMENT ON COLUMN @schema@.vulnerabilities_v2."references" IS 'addresses of advisories, patches and reports';

CREATE TABLE @schema@.system_vulnerabilities (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'missing_patch', 'misconfiguration', 'privilege_escalation', 'malware',
                            'outdated_software', 'weak_permissions', 'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    hostname            text NOT NULL CHECK (hostname <> ''),
    os_type             text NOT NULL CHECK (os_type IN ('linux', 'windows', 'macos', 'bsd', 'unix', 'other')),
    os_version          text,
    component           text,
    cve_id              text CHECK (cve_id ~ '^CVE-[0-9]{4}-[0-9]{4,19}$'),
    patch_id            text,
    patch_available     boolean NOT NULL DEFAULT false,
    "references"        jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof("references") = 'array'),
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT system_vulnerabilities_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.system_vulnerabilities IS 'weaknesses of hosts: missing patches, settings, permissions';
COMMENT ON COLUMN @schema@.system_vulnerabilities.component IS 'package, service or file at fault';
COMMENT ON COLUMN @schema@.system_vulnerabilities."references" IS 'addresses of advisories and patches';

CREATE TABLE @schema@.network_findings (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'exposure', 'encryption', 'segmentation', 'firewall', 'dns', 'wireless', 'intrusion',
                            'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    finding_type        text NOT NULL CHECK (finding_type IN (
                            'open_port', 'exposed_service', 'weak_encryption', 'expired_certificate',
                            'misconfiguration', 'rogue_device', 'suspicious_traffic')),
    host                text NOT NULL CHECK (host <> ''),
    port                integer CHECK (port BETWEEN 1 AND 65535),
    protocol            text NOT NULL CHECK (protocol IN ('tcp', 'udp', 'sctp', 'icmp')),
    service             text,
    internet_facing     boolean NOT NULL DEFAULT false,
    encrypted           boolean,
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT network_findings_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.network_findings IS 'what scans of a company''s networks found';
COMMENT ON COLUMN @schema@.network_findings.host IS 'name or address';
COMMENT ON COLUMN @schema@.network_findings.port IS 'null where the protocol has none, or the whole host is meant';
COMMENT ON COLUMN @schema@.network_findings.encrypted IS 'whether the service is; null if it is not known';

CREATE TABLE @schema@.container_findings (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'vulnerable_package', 'misconfiguration', 'secret', 'privileges', 'malware',
                            'outdated_base_image', 'network_policy', 'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    image               text NOT NULL CHECK (image <> ''),
    image_digest        text CHECK (image_digest ~ '^sha256:[0-9a-f]{64}$'),
    runtime_type        text NOT NULL CHECK (runtime_type IN ('docker', 'containerd', 'cri-o', 'podman', 'other')),
    namespace           text,
    workload            text,
    package_name        text,
    fixed_version       text,
    privileged          boolean NOT NULL DEFAULT false,
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT container_findings_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.container_findings IS 'weaknesses of container images and of how they run';
COMMENT ON COLUMN @schema@.container_findings.namespace IS 'namespace of the cluster';
COMMENT ON COLUMN @schema@.container_findings.workload IS 'deployment, job or pod';
COMMENT ON COLUMN @schema@.container_findings.privileged IS 'whether the container runs with all rights';
