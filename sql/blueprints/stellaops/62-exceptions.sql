-- Exceptions from policies, and who has let them.

CREATE TABLE @policy@.exceptions (
    exception_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id        uuid NOT NULL,
    -- No foreign key: an exception may be there before its policy, and outlive it.
    policy_id        uuid,
    component_purl   text COLLATE "C",
    vulnerability_id varchar(100) COLLATE "C",
    effect           varchar(50)
                     CONSTRAINT exceptions_effect_check CHECK (effect IN ('suppress', 'defer', 'downgrade', 'require_control')),
    approval_level   varchar(10)
                     CONSTRAINT exceptions_approval_level_check CHECK (approval_level IN ('G0', 'G1', 'G2', 'G3', 'G4')),
    expires_at       timestamptz,
    created_at       timestamptz DEFAULT now(),
    created_by       varchar(255) COLLATE "C",
    reason           text,
    defer_until      timestamptz,
    downgrade_to     text CONSTRAINT exceptions_downgrade_to_check CHECK (downgrade_to IN ('high', 'medium', 'low', 'none')),
    control          text,
    exception_state  text CONSTRAINT exceptions_exception_state_check CHECK (exception_state IN ('proposed', 'effective', 'rejected', 'revoked', 'expired')),
    effective_from   timestamptz,
    decisions        integer NOT NULL DEFAULT 0 CONSTRAINT exceptions_decisions_check CHECK (decisions >= 0),
    CONSTRAINT exceptions_defer_check CHECK (effect = 'defer' OR defer_until IS NULL),
    CONSTRAINT exceptions_downgrade_check CHECK (effect = 'downgrade' OR downgrade_to IS NULL),
    CONSTRAINT exceptions_control_check CHECK (effect = 'require_control' OR control IS NULL)
);
CREATE INDEX exceptions_policy_idx ON @policy@.exceptions (policy_id, vulnerability_id, component_purl);
CREATE INDEX exceptions_tenant_idx ON @policy@.exceptions (tenant_id);
CREATE INDEX exceptions_expiry_idx ON @policy@.exceptions (expires_at) WHERE exception_state IN ('proposed', 'effective');
COMMENT ON TABLE @policy@.exceptions IS 'exceptions from policies; each takes effect only with the approvals that its level asks for';
COMMENT ON COLUMN @policy@.exceptions.policy_id IS 'the policy it is from; null: all of the tenant''s';
COMMENT ON COLUMN @policy@.exceptions.component_purl IS 'the component it is for; null: all';
COMMENT ON COLUMN @policy@.exceptions.vulnerability_id IS 'the vulnerability it is for; null: all of the component''s';
COMMENT ON COLUMN @policy@.exceptions.effect IS 'suppress (no finding), defer (none until defer_until, or until it expires), downgrade (to the severity downgrade_to), or require_control (none while control is in place)';
COMMENT ON COLUMN @policy@.exceptions.approval_level IS 'G0: no approval; G1: one; G2: two; G3: two, one of them as security; G4: three, one as security and one as owner or executive. Each by another person, none by the requester. It can be raised, not lowered';
COMMENT ON COLUMN @policy@.exceptions.expires_at IS 'null: never';
COMMENT ON COLUMN @policy@.exceptions.created_by IS 'the requester: client_id or name of a client, if it is one of authority.clients';
COMMENT ON COLUMN @policy@.exceptions.exception_state IS 'proposed, effective, or for good rejected or revoked, or expired; kept by triggers: it is effective when its approvals suffice, and proposed again when they do not any more. Null when inserted: filled';
COMMENT ON COLUMN @policy@.exceptions.effective_from IS 'when it took effect; kept by a trigger';
COMMENT ON COLUMN @policy@.exceptions.decisions IS 'how many rows exception_approval_audit has had for it; kept by a trigger, not audited';

CREATE TABLE @policy@.exception_approval_audit (
    audit_id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    exception_id       uuid REFERENCES @policy@.exceptions,
    approval_level     varchar(10)
                       CONSTRAINT exception_approval_audit_approval_level_check CHECK (approval_level IN ('G0', 'G1', 'G2', 'G3', 'G4')),
    approver_id        varchar(255) COLLATE "C",
    approved_at        timestamptz DEFAULT clock_timestamp(),
    comment            text,
    decision           text NOT NULL DEFAULT 'approve'
                       CONSTRAINT exception_approval_audit_decision_check CHECK (decision IN ('approve', 'reject', 'revoke')),
    capacity           text
                       CONSTRAINT exception_approval_audit_capacity_check CHECK (capacity IN ('approver', 'security', 'owner', 'executive')),
    approver_client_id uuid,
    terms_hash         text
                       CONSTRAINT exception_approval_audit_terms_hash_check CHECK (terms_hash ~ '^sha256:[0-9a-f]{64}$'),
    decision_no        integer CONSTRAINT exception_approval_audit_decision_no_check CHECK (decision_no > 0),
    CONSTRAINT exception_approval_audit_decision_key UNIQUE (exception_id, decision_no)
);
CREATE INDEX exception_approval_audit_approver_idx ON @policy@.exception_approval_audit (approver_id);
COMMENT ON TABLE @policy@.exception_approval_audit IS 'who decided what on an exception, in order; append-only. Of each approver the last decision counts';
COMMENT ON COLUMN @policy@.exception_approval_audit.approval_level IS 'the level that the approval is for: it counts up to that one. Null: filled with the exception''s';
COMMENT ON COLUMN @policy@.exception_approval_audit.approver_id IS 'never the requester. It counts if it is the client_id, or the name, of one client of the tenant that is enabled and has scope exception:<capacity>';
COMMENT ON COLUMN @policy@.exception_approval_audit.decision IS 'approve; reject (it takes no effect while this stands, whatever others say); revoke (takes back one''s own last decision)';
COMMENT ON COLUMN @policy@.exception_approval_audit.capacity IS 'what the decision was made as: approver, security, owner or executive. Null: filled with the first of security, owner, executive, approver that the client has the scope for';
COMMENT ON COLUMN @policy@.exception_approval_audit.approver_client_id IS 'the client that decided, given by a trigger whatever is inserted; null: the decision is on record and does not count';
COMMENT ON COLUMN @policy@.exception_approval_audit.terms_hash IS 'terms_hash() of what was decided on: an approval counts for these terms only. Null when inserted: filled';
COMMENT ON COLUMN @policy@.exception_approval_audit.decision_no IS '1, 2, 3 … of the exception, given by a trigger whatever is inserted';

CREATE FUNCTION @policy@.terms_hash(e @policy@.exceptions) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT @policy@.digest(jsonb_build_array(e.exception_id, e.tenant_id, e.policy_id, e.vulnerability_id, e.component_purl, e.effect,
        extract(epoch FROM e.defer_until), e.downgrade_to, e.control, e.approval_level, e.created_by, e.reason,
        extract(epoch FROM e.expires_at)))
$$;
COMMENT ON FUNCTION @policy@.terms_hash(@policy@.exceptions) IS 'digest of all that an approver of an exception agrees to';

CREATE FUNCTION @policy@.missing_approvals(e @policy@.exceptions) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH last AS (
        SELECT DISTINCT ON (a.approver_client_id) a.approver_id, a.capacity, a.decision, a.terms_hash, a.approval_level
        FROM @policy@.exception_approval_audit AS a
        WHERE a.exception_id = e.exception_id AND a.approver_client_id IS NOT NULL AND a.approver_id IS DISTINCT FROM e.created_by
        ORDER BY a.approver_client_id, a.decision_no DESC
    ), standing AS (
        SELECT count(*) FILTER (WHERE good) AS approvals,
               count(*) FILTER (WHERE good AND capacity = 'security') AS security,
               count(*) FILTER (WHERE good AND capacity IN ('owner', 'executive')) AS owner,
               string_agg(approver_id, ', ' ORDER BY approver_id) FILTER (WHERE decision = 'reject') AS rejected
        FROM (SELECT *, decision = 'approve' AND terms_hash = @policy@.terms_hash(e) AND approval_level >= e.approval_level AS good
              FROM last) AS l
    ), needed AS (
        SELECT CASE e.approval_level WHEN 'G0' THEN 0 WHEN 'G1' THEN 1 WHEN 'G4' THEN 3 ELSE 2 END AS approvals,
               e.approval_level IN ('G3', 'G4') AS security, e.approval_level = 'G4' AS owner
    )
    SELECT array_remove(ARRAY[
        'rejected by ' || s.rejected,
        CASE WHEN e.approval_level IS NULL THEN 'no approval level'
             WHEN s.approvals < n.approvals THEN format('%s of %s approvals', s.approvals, n.approvals) END,
        CASE WHEN n.security AND s.security = 0 THEN 'none as security' END,
        CASE WHEN n.owner AND s.owner = 0 THEN 'none as owner or executive' END,
        CASE WHEN e.effect IS NULL THEN 'no effect' END,
        CASE WHEN e.vulnerability_id IS NULL AND e.component_purl IS NULL THEN 'neither vulnerability nor component' END,
        -- Else nobody can tell that the approvers are others.
        CASE WHEN e.created_by IS NULL AND n.approvals > 0 THEN 'no requester' END], NULL)
    FROM standing AS s CROSS JOIN needed AS n
$$;
COMMENT ON FUNCTION @policy@.missing_approvals(@policy@.exceptions) IS
    'what keeps an exception from taking effect, its expiry aside; empty if nothing';

CREATE FUNCTION @policy@.exception_state() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    missing text[];
    is_over boolean := coalesce(NEW.expires_at <= now(), false);
BEGIN
    -- On INSERT all of OLD is null.
    IF OLD.exception_state = 'expired' AND NOT is_over AND NEW.expires_at IS DISTINCT FROM OLD.expires_at THEN
        NEW.exception_state := 'proposed';
    ELSIF OLD.exception_state IN ('rejected', 'revoked', 'expired') THEN
        RAISE EXCEPTION 'exception % is %', OLD.exception_id, CASE OLD.exception_state WHEN 'expired' THEN 'expired' ELSE OLD.exception_state || ', for good' END
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = CASE OLD.exception_state WHEN 'expired' THEN 'with a later expires_at it is proposed anew' ELSE 'request a new exception' END;
    END IF;
    IF NEW.exception_id <> OLD.exception_id THEN
        RAISE EXCEPTION 'exception % cannot have another id', OLD.exception_id
            USING ERRCODE = 'check_violation', HINT = 'request a new exception';
    END IF;
    -- Else whoever lacks approvals would do without.
    IF coalesce(NEW.approval_level, '') < OLD.approval_level THEN
        RAISE EXCEPTION 'exception % is of level %, and cannot become one of %', OLD.exception_id, OLD.approval_level, coalesce(NEW.approval_level, 'none')
            USING ERRCODE = 'check_violation', HINT = 'a level can be raised; request a new exception, or leave it';
    END IF;
    IF NEW.exception_state IS NULL OR NEW.exception_state = 'effective' THEN
        -- The row is locked, and every decision changes it: none is on its way that is not seen here.
        missing := @policy@.missing_approvals(NEW);
        IF NEW.exception_state IS NULL THEN
            NEW.exception_state := CASE WHEN cardinality(missing) = 0 AND NOT is_over THEN 'effective' ELSE 'proposed' END;
        ELSIF OLD.exception_state = 'effective' THEN
            NEW.exception_state := CASE WHEN cardinality(missing) = 0 THEN 'effective' ELSE 'proposed' END;
        ELSIF cardinality(missing) > 0 THEN
            RAISE EXCEPTION 'exception % cannot take effect at level %: %', NEW.exception_id, coalesce(NEW.approval_level, 'none'), array_to_string(missing, ', ')
                USING ERRCODE = 'check_violation',
                      HINT = 'decisions go into @policy@.exception_approval_audit; approvals count for the terms they were given for';
        ELSIF is_over THEN
            RAISE EXCEPTION 'exception % cannot take effect: it expired at %', NEW.exception_id, NEW.expires_at
                USING ERRCODE = 'check_violation', HINT = 'with a later expires_at it is proposed anew';
        END IF;
    END IF;
    NEW.effective_from := CASE WHEN NEW.exception_state = 'proposed' THEN NULL
                               WHEN NEW.exception_state = 'effective' AND OLD.exception_state IS DISTINCT FROM 'effective' THEN now()
                               ELSE OLD.effective_from END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @policy@.exception_state() IS
    'trigger: an exception takes effect, and stays so when changed, only with the approvals that its level asks for';
CREATE TRIGGER exception_state BEFORE INSERT OR UPDATE ON @policy@.exceptions
    FOR EACH ROW EXECUTE FUNCTION @policy@.exception_state();

CREATE VIEW @policy@.exceptions_in_force AS
    SELECT e.* FROM @policy@.exceptions AS e WHERE e.exception_state = 'effective' AND (e.expires_at IS NULL OR e.expires_at > now());
COMMENT ON VIEW @policy@.exceptions_in_force IS 'exceptions that count now, whether or not expire_exceptions() was run in time';

CREATE FUNCTION @policy@.expire_exceptions() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    expired bigint;
BEGIN
    UPDATE @policy@.exceptions AS x SET exception_state = 'expired' WHERE x.exception_state IN ('proposed', 'effective') AND x.expires_at <= now();
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END $$;
COMMENT ON FUNCTION @policy@.expire_exceptions() IS 'marks exceptions whose time is over as expired, and says how many; to be run now and then';

-- decisions alone is no event: what it counts has entries of its own.
SELECT @verbs@.audit_attach('@policy@.exceptions', kind => '@policy@.exceptions', payload => 'full', exclude => '{decisions}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@policy@.exception_approval_audit', kind => '@policy@.exception_approval_audit', payload => 'full', append_only => true);
