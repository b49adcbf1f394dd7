-- Who may do what: clients, their keys and tokens, and what they did.

CREATE TABLE @authority@.clients (
    client_id    text COLLATE "C" PRIMARY KEY
                 CONSTRAINT clients_client_id_check CHECK (client_id ~ '^[a-z0-9][a-z0-9._@-]{0,127}$'),
    display_name text NOT NULL CONSTRAINT clients_display_name_check CHECK (display_name <> ''),
    client_type  text NOT NULL CONSTRAINT clients_client_type_check CHECK (client_type IN ('person', 'service', 'public')),
    secret_hash  text CONSTRAINT clients_secret_hash_check CHECK (secret_hash ~ '^sha256:[0-9a-f]{64}$'),
    scopes       text[] NOT NULL DEFAULT '{}' CONSTRAINT clients_scopes_check CHECK (array_position(scopes, NULL) IS NULL),
    enabled      boolean NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz,
    CONSTRAINT clients_public_has_no_secret_check CHECK (client_type <> 'public' OR secret_hash IS NULL)
);
COMMENT ON TABLE @authority@.clients IS 'people and programs that may ask for tokens';
COMMENT ON COLUMN @authority@.clients.client_id IS 'lower-case letters, digits and . _ @ -, so that one client has one spelling';
COMMENT ON COLUMN @authority@.clients.client_type IS 'person, service (keeps a secret), or public (cannot keep one)';
COMMENT ON COLUMN @authority@.clients.secret_hash IS 'digest (sha256: and 64 hex) of a random secret; the secret itself is nowhere here';
COMMENT ON COLUMN @authority@.clients.scopes IS 'what tokens may be asked for; exception:approver, exception:security, exception:owner and exception:executive let a client decide on exceptions in that capacity';
COMMENT ON COLUMN @authority@.clients.last_seen_at IS 'working state, not audited';

CREATE TABLE @authority@.keys (
    key_id     text COLLATE "C" PRIMARY KEY,
    client_id  text COLLATE "C" REFERENCES @authority@.clients,
    algorithm  text NOT NULL CONSTRAINT keys_algorithm_check CHECK (algorithm IN ('ed25519', 'ecdsa-p256-sha256')),
    purpose    text NOT NULL CONSTRAINT keys_purpose_check CHECK (purpose IN ('token', 'evidence', 'vex')),
    public_pem text NOT NULL,
    state      text NOT NULL DEFAULT 'active' CONSTRAINT keys_state_check CHECK (state IN ('active', 'retired', 'revoked')),
    not_before timestamptz NOT NULL DEFAULT now(),
    not_after  timestamptz CONSTRAINT keys_not_after_check CHECK (not_after > not_before),
    revoked_at timestamptz,
    CONSTRAINT keys_key_id_check CHECK (key_id = 'sha256:' || @verbs@.key_fingerprint(public_pem)),
    CONSTRAINT keys_revoked_check CHECK ((state = 'revoked') = (revoked_at IS NOT NULL))
);
CREATE INDEX keys_client_idx ON @authority@.keys (client_id);
COMMENT ON TABLE @authority@.keys IS 'public keys of clients; private keys are elsewhere. Which keys count for signed evidence is said by trust_key()';
COMMENT ON COLUMN @authority@.keys.key_id IS 'sha256: and key_fingerprint(public_pem)';
COMMENT ON COLUMN @authority@.keys.client_id IS 'whose key it is; null: the authority''s own';
COMMENT ON COLUMN @authority@.keys.algorithm IS 'ed25519 or ecdsa-p256-sha256';
COMMENT ON COLUMN @authority@.keys.purpose IS 'what it signs: token, evidence or vex';
COMMENT ON COLUMN @authority@.keys.state IS 'active, retired (what it signed still counts) or revoked (nothing does)';

CREATE TABLE @authority@.tokens (
    token_id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    client_id  text COLLATE "C" NOT NULL REFERENCES @authority@.clients,
    token_hash text NOT NULL CONSTRAINT tokens_token_hash_key UNIQUE
               CONSTRAINT tokens_token_hash_check CHECK (token_hash ~ '^sha256:[0-9a-f]{64}$'),
    token_type text NOT NULL CONSTRAINT tokens_token_type_check CHECK (token_type IN ('access', 'refresh', 'api')),
    scopes     text[] NOT NULL DEFAULT '{}',
    issued_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL CONSTRAINT tokens_expires_at_check CHECK (expires_at > issued_at),
    revoked_at timestamptz
);
CREATE INDEX tokens_client_idx ON @authority@.tokens (client_id);
COMMENT ON TABLE @authority@.tokens IS 'tokens that were issued';
COMMENT ON COLUMN @authority@.tokens.token_hash IS 'digest (sha256: and 64 hex) of the token; the token itself is nowhere here';
COMMENT ON COLUMN @authority@.tokens.token_type IS 'access, refresh or api';

CREATE TABLE @authority@.audit_trail (
    event_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    -- No foreign key: the trail outlives its clients, and tells of those who never were one.
    client_id text COLLATE "C" NOT NULL,
    action    text NOT NULL CONSTRAINT audit_trail_action_check CHECK (action <> ''),
    outcome   text NOT NULL CONSTRAINT audit_trail_outcome_check CHECK (outcome IN ('success', 'failure', 'denied')),
    subject   text,
    detail    jsonb NOT NULL DEFAULT '{}' CONSTRAINT audit_trail_detail_check CHECK (jsonb_typeof(detail) = 'object')
);
CREATE INDEX audit_trail_client_idx ON @authority@.audit_trail (client_id, at);
COMMENT ON TABLE @authority@.audit_trail IS 'sign-ins, grants and refusals, as the authority reports them; append-only';
COMMENT ON COLUMN @authority@.audit_trail.outcome IS 'success, failure or denied';
COMMENT ON COLUMN @authority@.audit_trail.subject IS 'what the action was on';

-- Digests of secrets are inside the hash, so nobody can exchange one unseen, and never in a payload.
SELECT @verbs@.audit_attach('@authority@.clients', kind => '@authority@.clients', exclude => '{last_seen_at}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@authority@.keys', kind => '@authority@.keys');
SELECT @verbs@.audit_attach('@authority@.tokens', kind => '@authority@.tokens');
SELECT @verbs@.audit_attach('@authority@.audit_trail', kind => '@authority@.audit_trail', append_only => true);

SELECT @authority@.record_migration('@authority@', '1', 'tables of blueprint stellaops', @authority@.schema_checksum('@authority@'));
