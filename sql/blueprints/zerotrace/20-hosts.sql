-- Agents, and what they find on hosts and in networks.
--
-- Columns come in the order that applications know; what is ours stands behind, and can be left out of an INSERT:
-- status, severity and risk_score where statistics need them, and search. That one is stored, since under row-level
-- security a search cannot go by an index (see 50-tenants.sql) and reads all rows of the company. It follows from columns
-- that are audited; so it is not audited itself, and no row looks changed when another version of PostgreSQL splits words
-- otherwise.

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

-- An agent that is written without a company is the operator's own: the uuid of zeros stands for that, since a key
-- cannot be null, and a key without the company would tell one company by a refusal which ids another has.
CREATE TABLE @schema@.agents (
    id             uuid NOT NULL DEFAULT gen_random_uuid(),
    hostname       text,
    os             text,
    os_version     text,
    company_id     uuid NOT NULL
                   DEFAULT coalesce(@schema@.current_company_id(), '00000000-0000-0000-0000-000000000000'),
    name           text,
    agent_type     text,
    address        inet,
    version        text,
    status         text DEFAULT 'active',
    configuration  jsonb DEFAULT '{}',
    last_seen      timestamptz,
    created_at     timestamptz DEFAULT now(),
    updated_at     timestamptz DEFAULT now(),
    PRIMARY KEY (company_id, id),
    CONSTRAINT agents_name_key UNIQUE (company_id, name)
);
COMMENT ON TABLE @schema@.agents IS 'scanners of each company, and those of the operator, which all companies see';
COMMENT ON COLUMN @schema@.agents.company_id IS 'whose it is; zeros: the operator''s';
COMMENT ON COLUMN @schema@.agents.last_seen IS
    'last sign of life; no part of what is audited, and no change of the row';

CREATE TABLE @schema@.vulnerabilities_v2 (
    id                     uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id               uuid NOT NULL,
    company_id             uuid NOT NULL DEFAULT @schema@.current_company_id(),
    organization_id        uuid,
    title                  varchar(500) NOT NULL,
    description            text,
    severity               varchar(20) NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category               varchar(50) NOT NULL CHECK (category IN (
                               'application', 'network', 'configuration', 'system', 'auth', 'database', 'api',
                               'container', 'ai', 'iot', 'privacy', 'web3')),
    status                 varchar(50) DEFAULT 'open',
    discovered_at          timestamptz DEFAULT now(),
    last_seen              timestamptz DEFAULT now(),
    risk_score             numeric(4, 2) DEFAULT 0.0 CHECK (risk_score BETWEEN 0 AND 10),
    exploit_complexity     varchar(20),
    attack_vector          varchar(50),
    compliance_frameworks  jsonb DEFAULT '[]',
    remediation            text,
    "references"           jsonb DEFAULT '[]',
    tags                   jsonb DEFAULT '[]',
    metadata               jsonb DEFAULT '{}',
    enrichment_data        jsonb DEFAULT '{}',
    created_at             timestamptz DEFAULT now(),
    updated_at             timestamptz DEFAULT now(),
    search                 tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.vulnerabilities_v2 IS 'vulnerabilities of all kinds, by category';
COMMENT ON COLUMN @schema@.vulnerabilities_v2.company_id IS
    'whose it is; the chain that its changes go to is called by it';
COMMENT ON COLUMN @schema@.vulnerabilities_v2.organization_id IS 'a part of the company, if it has parts';
COMMENT ON COLUMN @schema@.vulnerabilities_v2.last_seen IS
    'when a scan found it last; each new value is a change of the row';
COMMENT ON COLUMN @schema@.vulnerabilities_v2."references" IS 'addresses of advisories, patches and reports';
COMMENT ON COLUMN @schema@.vulnerabilities_v2.enrichment_data IS
    'what other sources know of it, such as scores and exploits';

CREATE TABLE @schema@.system_vulnerabilities (
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid NOT NULL,
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    vulnerability_type  varchar(50) NOT NULL
                        CHECK (vulnerability_type IN ('os_patch', 'kernel', 'driver', 'eol_software')),
    os_name             varchar(100),
    os_version          varchar(100),
    component_name      varchar(255),
    component_version   varchar(100),
    cve_id              varchar(20),
    severity            varchar(20) NOT NULL,
    title               varchar(500) NOT NULL,
    description         text,
    remediation         text,
    patch_available     boolean DEFAULT false,
    patch_url           varchar(500),
    eol_date            date,
    metadata            jsonb DEFAULT '{}',
    created_at          timestamptz DEFAULT now(),
    updated_at          timestamptz DEFAULT now(),
    status              varchar(50) DEFAULT 'open',
    risk_score          numeric(4, 2) CHECK (risk_score BETWEEN 0 AND 10),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.system_vulnerabilities IS
    'weaknesses of operating systems: missing patches, kernels, drivers, software past its end';
COMMENT ON COLUMN @schema@.system_vulnerabilities.component_name IS 'package, driver or program at fault';
COMMENT ON COLUMN @schema@.system_vulnerabilities.eol_date IS 'since when its maker does not maintain it any more';

CREATE TABLE @schema@.network_findings (
    id                      uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id                uuid NOT NULL,
    company_id              uuid NOT NULL DEFAULT @schema@.current_company_id(),
    scan_id                 uuid,
    host                    varchar(255) NOT NULL,
    port                    integer NOT NULL,
    protocol                varchar(10) NOT NULL,
    service_name            varchar(100),
    service_version         varchar(100),
    banner                  text,
    ssl_enabled             boolean DEFAULT false,
    ssl_version             varchar(20),
    ssl_cipher              varchar(100),
    ssl_certificate_issuer  varchar(255),
    ssl_certificate_expiry  timestamptz,
    vulnerability_count     integer DEFAULT 0,
    status                  varchar(20) DEFAULT 'open',
    metadata                jsonb DEFAULT '{}',
    created_at              timestamptz DEFAULT now(),
    updated_at              timestamptz DEFAULT now(),
    severity                varchar(20),
    risk_score              numeric(4, 2) CHECK (risk_score BETWEEN 0 AND 10),
    search                  tsvector GENERATED ALWAYS AS (
                                @schema@.search_document(host || ' ' || coalesce(service_name, ''), banner)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.network_findings IS 'services that scans found in a company''s networks';
COMMENT ON COLUMN @schema@.network_findings.scan_id IS 'the scan that found it';
COMMENT ON COLUMN @schema@.network_findings.host IS 'name or address';
COMMENT ON COLUMN @schema@.network_findings.vulnerability_count IS
    'how many vulnerabilities the service is known to have';

CREATE TABLE @schema@.container_findings (
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id      uuid NOT NULL,
    company_id    uuid NOT NULL DEFAULT @schema@.current_company_id(),
    container_id  varchar(100),
    image_name    varchar(255),
    image_tag     varchar(100),
    finding_type  varchar(50) NOT NULL,
    severity      varchar(20) NOT NULL,
    title         varchar(500) NOT NULL,
    description   text,
    remediation   text,
    metadata      jsonb DEFAULT '{}',
    created_at    timestamptz DEFAULT now(),
    updated_at    timestamptz DEFAULT now(),
    status        varchar(50) DEFAULT 'open',
    risk_score    numeric(4, 2) CHECK (risk_score BETWEEN 0 AND 10),
    search        tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.container_findings IS 'weaknesses of containers, their images and how they run';
