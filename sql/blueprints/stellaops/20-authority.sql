-- Who may do what: clients, their keys and tokens, and what they did.

CREATE TABLE @authority@.clients (
    client_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id     uuid NOT NULL,
    name          varchar(255),
    client_type   varchar(50) CONSTRAINT clients_client_type_check CHECK (client_type IN ('confidential', 'public', 'service')),
    redirect_uris text[],
    scopes        text[],
    created_at    timestamptz DEFAULT now(),
    updated_at    timestamptz DEFAULT now(),
    secret_hash   text CONSTRAINT clients_secret_hash_check CHECK (secret_hash ~ '^sha256:[0-9a-f]{64}$'),
    enabled       boolean NOT NULL DEFAULT true,
    last_seen_at  timestamptz,
    CONSTRAINT clients_public_has_no_secret_check CHECK (client_type <> 'public' OR secret_hash IS NULL)
);
CREATE INDEX clients_tenant_idx ON @authority@.clients (tenant_id);
COMMENT ON TABLE @authority@.clients IS 'people and programs that may ask for tokens';
COMMENT ON COLUMN @authority@.clients.client_type IS 'confidential (keeps a secret), public (cannot keep one) or service';
COMMENT ON COLUMN @authority@.clients.scopes IS 'what tokens may be asked for; exception:approver, exception:security, exception:owner and exception:executive let a client decide on exceptions in that capacity';
COMMENT ON COLUMN @authority@.clients.secret_hash IS 'digest (sha256: and 64 hex) of a random secret; the secret itself is nowhere here';
COMMENT ON COLUMN @authority@.clients.last_seen_at IS 'working state, not audited';

CREATE TABLE @authority@.keys (
    key_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    client_id   uuid REFERENCES @authority@.clients,
    algorithm   varchar(50) CONSTRAINT keys_algorithm_check CHECK (algorithm IN ('RS256', 'ES256', 'EdDSA')),
    public_key  text,
    created_at  timestamptz DEFAULT now(),
    expires_at  timestamptz,
    fingerprint text,
    purpose     text CONSTRAINT keys_purpose_check CHECK (purpose IN ('token', 'evidence', 'vex')),
    state       text NOT NULL DEFAULT 'active' CONSTRAINT keys_state_check CHECK (state IN ('active', 'retired', 'revoked')),
    -- Of a key in another form than PEM, or of RSA, there is no fingerprint.
    CONSTRAINT keys_fingerprint_check CHECK (CASE WHEN fingerprint IS NOT NULL THEN
        fingerprint = 'sha256:' || @verbs@.key_fingerprint(public_key) END)
);
CREATE INDEX keys_client_idx ON @authority@.keys (client_id);
COMMENT ON TABLE @authority@.keys IS 'public keys of clients; private keys are elsewhere. Which keys count for signed evidence is said by trust_key()';
COMMENT ON COLUMN @authority@.keys.client_id IS 'whose key it is; null: the authority''s own';
COMMENT ON COLUMN @authority@.keys.algorithm IS 'RS256, ES256 or EdDSA';
COMMENT ON COLUMN @authority@.keys.fingerprint IS 'sha256: and key_fingerprint(public_key), of a key in PEM; another one is refused';
COMMENT ON COLUMN @authority@.keys.purpose IS 'what it signs: token, evidence or vex';
COMMENT ON COLUMN @authority@.keys.state IS 'active, retired (what it signed still counts) or revoked (nothing does)';

CREATE TABLE @authority@.tokens (
    token_id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    client_id  uuid REFERENCES @authority@.clients,
    subject    varchar(255),
    scopes     text[],
    issued_at  timestamptz DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    token_hash text CONSTRAINT tokens_token_hash_key UNIQUE
               CONSTRAINT tokens_token_hash_check CHECK (token_hash ~ '^sha256:[0-9a-f]{64}$'),
    token_type text CONSTRAINT tokens_token_type_check CHECK (token_type IN ('access', 'refresh', 'api'))
);
CREATE INDEX tokens_client_idx ON @authority@.tokens (client_id);
COMMENT ON TABLE @authority@.tokens IS 'tokens that were issued';
COMMENT ON COLUMN @authority@.tokens.subject IS 'for whom the client acts';
COMMENT ON COLUMN @authority@.tokens.token_hash IS 'digest (sha256: and 64 hex) of the token; the token itself is nowhere here';
COMMENT ON COLUMN @authority@.tokens.token_type IS 'access, refresh or api';

CREATE TABLE @authority@.audit_trail (
    audit_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    action        varchar(100),
    -- No foreign key: the trail outlives its clients, and tells of those who never were one.
    actor_id      varchar(255) COLLATE "C",
    resource_type varchar(100),
    resource_id   varchar(255),
    occurred_at   timestamptz DEFAULT now(),
    metadata      jsonb,
    outcome       text CONSTRAINT audit_trail_outcome_check CHECK (outcome IN ('success', 'failure', 'denied'))
);
CREATE INDEX audit_trail_actor_idx ON @authority@.audit_trail (actor_id, occurred_at);
COMMENT ON TABLE @authority@.audit_trail IS 'sign-ins, grants and refusals, as the authority reports them; append-only';
COMMENT ON COLUMN @authority@.audit_trail.resource_id IS 'what the action was on, of the kind that resource_type names';
COMMENT ON COLUMN @authority@.audit_trail.outcome IS 'success, failure or denied';

-- Digests of secrets are inside the hash, so nobody can exchange one unseen, and never in a payload.
SELECT @verbs@.audit_attach('@authority@.clients', kind => '@authority@.clients', exclude => '{last_seen_at}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@authority@.keys', kind => '@authority@.keys');
SELECT @verbs@.audit_attach('@authority@.tokens', kind => '@authority@.tokens');
SELECT @verbs@.audit_attach('@authority@.audit_trail', kind => '@authority@.audit_trail', append_only => true);

SELECT @authority@.record_migration('@authority@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@authority@'));
