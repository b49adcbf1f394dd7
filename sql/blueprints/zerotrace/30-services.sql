-- What is found in services: who may use them, databases, APIs, models.

CREATE TABLE @schema@.auth_findings (
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id      uuid NOT NULL,
    company_id    uuid NOT NULL DEFAULT @schema@.current_company_id(),
    finding_type  varchar(50) NOT NULL CHECK (finding_type IN (
                      'password_policy', 'account_security', 'privilege_escalation', 'auth_bypass')),
    user_account  varchar(255),
    severity      varchar(20) NOT NULL,
    title         varchar(500) NOT NULL,
    description   text,
    risk_score    numeric(4, 2) DEFAULT 0.0 CHECK (risk_score BETWEEN 0 AND 10),
    remediation   text,
    metadata      jsonb DEFAULT '{}',
    created_at    timestamptz DEFAULT now(),
    updated_at    timestamptz DEFAULT now(),
    status        varchar(50) DEFAULT 'open',
    search        tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.auth_findings IS 'weak authentication and authorization';
COMMENT ON COLUMN @schema@.auth_findings.user_account IS 'the account that is concerned';

CREATE TABLE @schema@.database_findings (
    id             uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id       uuid NOT NULL,
    company_id     uuid NOT NULL DEFAULT @schema@.current_company_id(),
    database_type  varchar(50) NOT NULL CHECK (database_type IN (
                       'postgresql', 'mysql', 'mongodb', 'redis', 'sqlserver', 'oracle')),
    host           varchar(255) NOT NULL,
    port           integer,
    database_name  varchar(100),
    finding_type   varchar(50) NOT NULL,
    severity       varchar(20) NOT NULL,
    title          varchar(500) NOT NULL,
    description    text,
    remediation    text,
    metadata       jsonb DEFAULT '{}',
    created_at     timestamptz DEFAULT now(),
    updated_at     timestamptz DEFAULT now(),
    status         varchar(50) DEFAULT 'open',
    risk_score     numeric(4, 2) CHECK (risk_score BETWEEN 0 AND 10),
    search         tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.database_findings IS 'weaknesses of databases';

CREATE TABLE @schema@.api_findings (
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id      uuid NOT NULL,
    company_id    uuid NOT NULL DEFAULT @schema@.current_company_id(),
    api_type      varchar(20) NOT NULL CHECK (api_type IN ('REST', 'GraphQL', 'SOAP', 'gRPC')),
    endpoint      varchar(500) NOT NULL,
    method        varchar(10),
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
COMMENT ON TABLE @schema@.api_findings IS 'weaknesses of APIs, by endpoint';

CREATE TABLE @schema@.ai_ml_findings (
    id             uuid NOT NULL DEFAULT gen_random_uuid(),
    agent_id       uuid NOT NULL,
    company_id     uuid NOT NULL DEFAULT @schema@.current_company_id(),
    finding_type   varchar(50) NOT NULL CHECK (finding_type IN (
                       'model_vulnerability', 'training_data', 'llm_security', 'bias_fairness')),
    model_name     varchar(255),
    model_version  varchar(100),
    framework      varchar(100),
    severity       varchar(20) NOT NULL,
    title          varchar(500) NOT NULL,
    description    text,
    remediation    text,
    metadata       jsonb DEFAULT '{}',
    created_at     timestamptz DEFAULT now(),
    updated_at     timestamptz DEFAULT now(),
    status         varchar(50) DEFAULT 'open',
    risk_score     numeric(4, 2) CHECK (risk_score BETWEEN 0 AND 10),
    search         tsvector GENERATED ALWAYS AS (@schema@.search_document(title, description)) STORED,
    PRIMARY KEY (company_id, id)
) PARTITION BY HASH (company_id);
COMMENT ON TABLE @schema@.ai_ml_findings IS 'weaknesses of models, their data and what uses them';
COMMENT ON COLUMN @schema@.ai_ml_findings.framework IS 'what the model was made with';
