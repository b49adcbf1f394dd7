-- Compliance, privacy, devices, and smart contracts.

CREATE TABLE @schema@.compliance_checks (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'access_control', 'encryption', 'logging', 'network', 'data_protection',
                            'incident_response', 'configuration', 'governance', 'other')),
    status              text NOT NULL CHECK (status IN ('pass', 'fail', 'not_applicable', 'manual_review', 'error')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    framework           text NOT NULL CHECK (framework IN (
                            'CIS', 'PCI-DSS', 'HIPAA', 'GDPR', 'SOC2', 'ISO27001', 'NIST')),
    framework_version   text,
    control_id          text NOT NULL CHECK (control_id <> ''),
    check_type          text NOT NULL CHECK (check_type IN ('automated', 'manual', 'hybrid')),
    resource            text,
    evidence            jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(evidence) = 'object'),
    remediation         text,
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT compliance_checks_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.compliance_checks IS 'controls of compliance frameworks, each time one was checked';
COMMENT ON COLUMN @schema@.compliance_checks.status IS 'what the check said; only pass and fail count for the score';
COMMENT ON COLUMN @schema@.compliance_checks.control_id IS 'number of the control in its framework';
COMMENT ON COLUMN @schema@.compliance_checks.resource IS 'what was checked';
COMMENT ON COLUMN @schema@.compliance_checks.evidence IS 'what the check saw';

CREATE TABLE @schema@.privacy_findings (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'unlawful_processing', 'missing_consent', 'excessive_retention', 'unencrypted_data',
                            'cross_border_transfer', 'data_breach', 'subject_rights', 'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    framework           text NOT NULL CHECK (framework IN (
                            'GDPR', 'CCPA', 'HIPAA', 'PCI-DSS', 'LGPD', 'PIPEDA', 'ISO27701')),
    article             text,
    data_type           text NOT NULL CHECK (data_type IN (
                            'pii', 'phi', 'pci', 'credentials', 'biometric', 'location', 'financial', 'children',
                            'other')),
    data_location       text NOT NULL CHECK (data_location <> ''),
    data_subjects       bigint CHECK (data_subjects >= 0),
    encrypted           boolean,
    notify_before       timestamptz,
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT privacy_findings_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.privacy_findings IS 'personal data that is kept or used as it must not be';
COMMENT ON COLUMN @schema@.privacy_findings.article IS 'article or section of the law';
COMMENT ON COLUMN @schema@.privacy_findings.data_location IS 'where the data is';
COMMENT ON COLUMN @schema@.privacy_findings.data_subjects IS 'how many people are concerned; null if it is not known';
COMMENT ON COLUMN @schema@.privacy_findings.notify_before IS 'until when an authority must be told, where one must';

CREATE TABLE @schema@.iot_ot_findings (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'default_credentials', 'outdated_firmware', 'insecure_protocol', 'exposure',
                            'segmentation', 'physical', 'supply_chain', 'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    device_type         text NOT NULL CHECK (device_type IN (
                            'plc', 'hmi', 'scada', 'rtu', 'sensor', 'camera', 'gateway', 'medical', 'building',
                            'other')),
    vendor              text,
    model               text,
    firmware_version    text,
    protocol            text NOT NULL CHECK (protocol IN (
                            'modbus', 'dnp3', 'opc-ua', 'bacnet', 'profinet', 'ethernet-ip', 'iec-61850', 'mqtt',
                            'coap', 'zigbee', 'other')),
    purdue_level        numeric(2, 1) CHECK (purdue_level IN (0, 1, 2, 3, 3.5, 4, 5)),
    safety_impact       boolean NOT NULL DEFAULT false,
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT iot_ot_findings_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.iot_ot_findings IS 'weaknesses of devices and of industrial control systems';
COMMENT ON COLUMN @schema@.iot_ot_findings.purdue_level IS 'level in the Purdue model; 3.5 is the zone between plant and office';
COMMENT ON COLUMN @schema@.iot_ot_findings.safety_impact IS 'whether people could come to harm';

CREATE TABLE @schema@.web3_findings (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'reentrancy', 'access_control', 'arithmetic', 'oracle_manipulation', 'front_running',
                            'flash_loan', 'bridge', 'key_management', 'logic', 'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    chain_type          text NOT NULL CHECK (chain_type IN (
                            'ethereum', 'polygon', 'bnb', 'arbitrum', 'optimism', 'base', 'avalanche', 'solana',
                            'other')),
    contract_address    text NOT NULL,
    contract_type       text NOT NULL CHECK (contract_type IN (
                            'token', 'nft', 'dex', 'lending', 'bridge', 'wallet', 'governance', 'oracle', 'other')),
    swc_id              text CHECK (swc_id ~ '^SWC-[0-9]{3}$'),
    function_name       text,
    transaction_hash    text,
    value_at_risk_usd   numeric(20, 2) CHECK (value_at_risk_usd >= 0),
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT web3_findings_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id),
    CONSTRAINT web3_findings_contract_address_check CHECK (
        CASE chain_type WHEN 'solana' THEN contract_address ~ '^[1-9A-HJ-NP-Za-km-z]{32,44}$'
                        WHEN 'other' THEN contract_address <> ''
                        ELSE contract_address ~ '^0x[0-9a-fA-F]{40}$' END)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.web3_findings IS 'weaknesses of smart contracts and of what uses them';
COMMENT ON COLUMN @schema@.web3_findings.chain_type IS 'the blockchain';
COMMENT ON COLUMN @schema@.web3_findings.swc_id IS 'entry of the Smart Contract Weakness Classification';
