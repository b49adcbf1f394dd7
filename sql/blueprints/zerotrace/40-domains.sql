-- Compliance, privacy, devices, and smart contracts.

CREATE TABLE @schema@.compliance_checks (
    id           uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id     uuid NOT NULL,
    company_id   uuid NOT NULL DEFAULT @schema@.current_company_id(),
    framework    varchar(50) NOT NULL
                 CHECK (framework IN ('CIS', 'PCI-DSS', 'HIPAA', 'GDPR', 'SOC2', 'ISO27001')),
    category     varchar(100) NOT NULL,
    requirement  varchar(500) NOT NULL,
    status       varchar(20) NOT NULL CHECK (status IN ('pass', 'fail', 'not_applicable', 'error')),
    severity     varchar(20),
    description  text,
    remediation  text,
    evidence     jsonb DEFAULT '{}',
    metadata     jsonb DEFAULT '{}',
    created_at   timestamptz DEFAULT now(),
    updated_at   timestamptz DEFAULT now(),
    risk_score   numeric(4, 2) CHECK (risk_score BETWEEN 0 AND 10),
    search       tsvector GENERATED ALWAYS AS (@schema@.search_document(requirement, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.compliance_checks IS 'requirements of compliance frameworks, each time one was checked';
COMMENT ON COLUMN @schema@.compliance_checks.status IS 'what the check said; pass and fail alone count for the score';
COMMENT ON COLUMN @schema@.compliance_checks.evidence IS 'what the check saw';

CREATE TABLE @schema@.privacy_findings (
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id      uuid NOT NULL,
    company_id    uuid NOT NULL DEFAULT @schema@.current_company_id(),
    finding_type  varchar(50) NOT NULL CHECK (finding_type IN (
                      'pii_detection', 'gdpr_compliance', 'ccpa_compliance', 'data_retention')),
    data_type     varchar(50),
    location      varchar(500),
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
COMMENT ON TABLE @schema@.privacy_findings IS 'personal data at risk';
COMMENT ON COLUMN @schema@.privacy_findings.location IS 'where the data is';

CREATE TABLE @schema@.iot_ot_findings (
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id      uuid NOT NULL,
    company_id    uuid NOT NULL DEFAULT @schema@.current_company_id(),
    device_type   varchar(50) NOT NULL,
    device_id     varchar(100),
    protocol      varchar(20),
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
COMMENT ON TABLE @schema@.iot_ot_findings IS 'weaknesses of devices and of industrial control systems';

CREATE TABLE @schema@.web3_findings (
    id                uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id          uuid NOT NULL,
    company_id        uuid NOT NULL DEFAULT @schema@.current_company_id(),
    finding_type      varchar(50) NOT NULL CHECK (finding_type IN (
                          'smart_contract', 'wallet_security', 'dapp_security', 'defi_risks')),
    contract_address  varchar(100),
    network           varchar(50),
    severity          varchar(20) NOT NULL,
    title             varchar(500) NOT NULL,
    description       text,
    remediation       text,
    metadata          jsonb DEFAULT '{}',
    created_at        timestamptz DEFAULT now(),
    updated_at        timestamptz DEFAULT now(),
    status            varchar(50) DEFAULT 'open',
    risk_score        numeric(4, 2) CHECK (risk_score BETWEEN 0 AND 10),
    search            tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.web3_findings IS 'weaknesses of smart contracts, wallets and what uses them';
COMMENT ON COLUMN @schema@.web3_findings.network IS 'the blockchain';
