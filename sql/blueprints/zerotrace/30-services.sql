-- What is found in services: who may use them, databases, APIs, models.

CREATE TABLE @schema@.auth_findings (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'weak_credentials', 'missing_mfa', 'excessive_privileges', 'session_management',
                            'stale_account', 'brute_force', 'token_leak', 'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    auth_type           text NOT NULL CHECK (auth_type IN (
                            'password', 'mfa', 'oauth2', 'oidc', 'saml', 'ldap', 'kerberos', 'api_key', 'session',
                            'certificate')),
    account             text,
    provider            text,
    mfa_enabled         boolean,
    source_address      inet,
    failed_attempts     integer NOT NULL DEFAULT 0 CHECK (failed_attempts >= 0),
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT auth_findings_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.auth_findings IS 'weak or abused authentication';
COMMENT ON COLUMN @schema@.auth_findings.provider IS 'the identity provider or directory';
COMMENT ON COLUMN @schema@.auth_findings.mfa_enabled IS 'whether the account has a second factor; null if it is not known';
COMMENT ON COLUMN @schema@.auth_findings.source_address IS 'where an attack came from';

CREATE TABLE @schema@.database_findings (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'injection', 'excessive_privileges', 'encryption', 'exposure', 'audit_logging',
                            'backup', 'configuration', 'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    database_type       text NOT NULL CHECK (database_type IN (
                            'postgresql', 'mysql', 'mariadb', 'mssql', 'oracle', 'mongodb', 'redis',
                            'elasticsearch', 'other')),
    database_version    text,
    host                text NOT NULL CHECK (host <> ''),
    port                integer CHECK (port BETWEEN 1 AND 65535),
    database_name       text,
    object_name         text,
    "user"              text,
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT database_findings_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.database_findings IS 'weaknesses of databases';
COMMENT ON COLUMN @schema@.database_findings.object_name IS 'table, view or routine';
COMMENT ON COLUMN @schema@.database_findings."user" IS 'database user that is concerned';

CREATE TABLE @schema@.api_findings (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'object_authorization', 'authentication', 'property_authorization',
                            'resource_consumption', 'function_authorization', 'business_flow', 'ssrf',
                            'configuration', 'inventory', 'injection', 'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    api_type            text NOT NULL CHECK (api_type IN ('rest', 'graphql', 'grpc', 'soap', 'websocket')),
    endpoint            text NOT NULL CHECK (endpoint <> ''),
    method              text CHECK (method IN ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE')),
    owasp_id            text CHECK (owasp_id ~ '^API([1-9]|10):[0-9]{4}$'),
    authenticated       boolean,
    request             jsonb,
    response_status     integer CHECK (response_status BETWEEN 100 AND 599),
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT api_findings_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.api_findings IS 'weaknesses of APIs, by endpoint';
COMMENT ON COLUMN @schema@.api_findings.owasp_id IS 'entry of the OWASP API Security Top 10, such as API1:2023';
COMMENT ON COLUMN @schema@.api_findings.authenticated IS 'whether the endpoint asks who calls; null if it is not known';
COMMENT ON COLUMN @schema@.api_findings.request IS 'the request that showed it, without secrets';

CREATE TABLE @schema@.ai_ml_findings (
    company_id          uuid NOT NULL DEFAULT @schema@.current_company_id(),
    id                  uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id            uuid,
    title               text NOT NULL CHECK (title <> ''),
    description         text,
    severity            text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    category            text NOT NULL CHECK (category IN (
                            'prompt_injection', 'data_poisoning', 'model_theft', 'evasion', 'membership_inference',
                            'model_inversion', 'supply_chain', 'excessive_agency', 'bias', 'other')),
    status              text NOT NULL DEFAULT 'open'
                        CHECK (status IN ('open', 'in_progress', 'resolved', 'accepted', 'false_positive')),
    risk_score          numeric(3, 1) NOT NULL CHECK (risk_score BETWEEN 0.0 AND 10.0),
    model_name          text NOT NULL CHECK (model_name <> ''),
    model_version       text,
    model_type          text NOT NULL CHECK (model_type IN (
                            'llm', 'classifier', 'regressor', 'vision', 'speech', 'recommender', 'embedding',
                            'other')),
    framework           text NOT NULL CHECK (framework IN (
                            'pytorch', 'tensorflow', 'jax', 'scikit-learn', 'huggingface', 'onnx', 'other')),
    atlas_id            text CHECK (atlas_id ~ '^AML\.T[0-9]{4}(\.[0-9]{3})?$'),
    success_rate        numeric(4, 3) CHECK (success_rate BETWEEN 0 AND 1),
    sample              jsonb,
    detected_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at         timestamptz CONSTRAINT ai_ml_findings_resolved_at_check CHECK (resolved_at >= detected_at),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    search              tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.ai_ml_findings IS 'weaknesses of models and of what uses them';
COMMENT ON COLUMN @schema@.ai_ml_findings.framework IS 'what the model was made with';
COMMENT ON COLUMN @schema@.ai_ml_findings.atlas_id IS 'technique of MITRE ATLAS';
COMMENT ON COLUMN @schema@.ai_ml_findings.success_rate IS 'part of the attempts that succeeded';
COMMENT ON COLUMN @schema@.ai_ml_findings.sample IS 'input and output that show it';
