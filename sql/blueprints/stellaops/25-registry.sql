-- The container registry: repositories, and tokens for them.

CREATE TABLE @registry@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @registry@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @registry@.repositories (
    repository_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id      uuid,
    name           text COLLATE "C" CONSTRAINT repositories_name_key UNIQUE
                   CONSTRAINT repositories_name_check CHECK (name ~ '^[a-z0-9]+([._/-][a-z0-9]+)*$' AND length(name) <= 255),
    visibility     text NOT NULL DEFAULT 'private'
                   CONSTRAINT repositories_visibility_check CHECK (visibility IN ('private', 'internal', 'public')),
    owner_id       uuid REFERENCES @authority@.clients,
    immutable_tags boolean NOT NULL DEFAULT true,
    created_at     timestamptz DEFAULT now()
);
CREATE INDEX repositories_owner_idx ON @registry@.repositories (owner_id);
COMMENT ON TABLE @registry@.repositories IS 'repositories of images';
COMMENT ON COLUMN @registry@.repositories.name IS 'as in an image reference, without registry and tag';
COMMENT ON COLUMN @registry@.repositories.visibility IS 'private, internal or public';
COMMENT ON COLUMN @registry@.repositories.immutable_tags IS 'whether a tag, once pushed, stays with its image';

CREATE TABLE @registry@.tokens (
    token_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    client_id     uuid REFERENCES @authority@.clients,
    repository_id uuid REFERENCES @registry@.repositories ON DELETE CASCADE,
    token_hash    text CONSTRAINT tokens_token_hash_key UNIQUE
                  CONSTRAINT tokens_token_hash_check CHECK (token_hash ~ '^sha256:[0-9a-f]{64}$'),
    actions       text[]
                  CONSTRAINT tokens_actions_check CHECK (actions <@ '{pull,push,delete}' AND cardinality(actions) > 0),
    issued_at     timestamptz DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz
);
CREATE INDEX tokens_client_idx ON @registry@.tokens (client_id);
CREATE INDEX tokens_repository_idx ON @registry@.tokens (repository_id);
COMMENT ON TABLE @registry@.tokens IS 'tokens to pull from, push to and delete in a repository';
COMMENT ON COLUMN @registry@.tokens.token_hash IS 'digest (sha256: and 64 hex) of the token; the token itself is nowhere here';
COMMENT ON COLUMN @registry@.tokens.actions IS 'any of pull, push, delete';

SELECT @verbs@.audit_attach('@registry@.schema_migrations', kind => '@registry@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@registry@.repositories', kind => '@registry@.repositories', payload => 'full');
SELECT @verbs@.audit_attach('@registry@.tokens', kind => '@registry@.tokens');

SELECT @authority@.record_migration('@registry@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@registry@'));
