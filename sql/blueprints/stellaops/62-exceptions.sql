-- Exceptions from policies, and who has let them.

CREATE TABLE @policy@.exceptions (
    exception_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    policy_id        text COLLATE "C" NOT NULL REFERENCES @policy@.policies,
    vulnerability_id text COLLATE "C" NOT NULL CONSTRAINT exceptions_vulnerability_id_check CHECK (vulnerability_id <> ''),
    component        text COLLATE "C",
    effect           text NOT NULL
                     CONSTRAINT exceptions_effect_check CHECK (effect IN ('suppress', 'defer', 'downgrade', 'require_control')),
    defer_until      timestamptz,
    downgrade_to     text CONSTRAINT exceptions_downgrade_to_check CHECK (downgrade_to IN ('high', 'medium', 'low', 'none')),
    control          text,
    approval_level   text NOT NULL
                     CONSTRAINT exceptions_approval_level_check CHECK (approval_level IN ('G0', 'G1', 'G2', 'G3', 'G4')),
    state            text NOT NULL DEFAULT 'proposed'
                     CONSTRAINT exceptions_state_check CHECK (state IN ('proposed', 'effective', 'rejected', 'revoked', 'expired')),
    requested_by     text COLLATE "C" NOT NULL REFERENCES @authority@.clients,
    reason           text NOT NULL CONSTRAINT exceptions_reason_check CHECK (reason <> ''),
    requested_at     timestamptz NOT NULL DEFAULT now(),
    effective_from   timestamptz,
    expires_at       timestamptz NOT NULL,
    decisions        integer NOT NULL DEFAULT 0 CONSTRAINT exceptions_decisions_check CHECK (decisions >= 0),
    CONSTRAINT exceptions_expires_at_check CHECK (expires_at > requested_at),
    CONSTRAINT exceptions_defer_check CHECK ((effect = 'defer') = (defer_until IS NOT NULL)),
    CONSTRAINT exceptions_downgrade_check CHECK ((effect = 'downgrade') = (downgrade_to IS NOT NULL)),
    CONSTRAINT exceptions_control_check CHECK ((effect = 'require_control') = (control IS NOT NULL)),
    CONSTRAINT exceptions_effective_from_check CHECK (state <> 'effective' OR effective_from IS NOT NULL)
);
CREATE INDEX exceptions_policy_idx ON @policy@.exceptions (policy_id, vulnerability_id, component);
CREATE INDEX exceptions_expiry_idx ON @policy@.exceptions (expires_at) WHERE state IN ('proposed', 'effective');
COMMENT ON TABLE @policy@.exceptions IS 'exceptions from policies; each takes effect only with the approvals that its level asks for';
COMMENT ON COLUMN @policy@.exceptions.component IS 'the component it is for; null: all';
COMMENT ON COLUMN @policy@.exceptions.effect IS 'suppress (no finding), defer (none until defer_until), downgrade (to the severity downgrade_to), or require_control (none while control is in place)';
COMMENT ON COLUMN @policy@.exceptions.approval_level IS 'G0: no approval; G1: one; G2: two; G3: two, one of them as security; G4: three, one as security and one as owner or executive. Each by another person, none by the requester. It can be raised, not lowered';
COMMENT ON COLUMN @policy@.exceptions.state IS 'proposed, effective, or for good rejected, revoked or expired; one whose approvals do not suffice any more is proposed again';
COMMENT ON COLUMN @policy@.exceptions.effective_from IS 'when it took effect; kept by a trigger';
COMMENT ON COLUMN @policy@.exceptions.decisions IS 'how many rows exception_approval_audit has had for it; kept by a trigger, not audited';

CREATE TABLE @policy@.exception_approval_audit (
    exception_id uuid NOT NULL REFERENCES @policy@.exceptions,
    decision_no  integer NOT NULL CONSTRAINT exception_approval_audit_decision_no_check CHECK (decision_no > 0),
    approver     text COLLATE "C" NOT NULL REFERENCES @authority@.clients,
    capacity     text NOT NULL
                 CONSTRAINT exception_approval_audit_capacity_check CHECK (capacity IN ('approver', 'security', 'owner', 'executive')),
    decision     text NOT NULL
                 CONSTRAINT exception_approval_audit_decision_check CHECK (decision IN ('approve', 'reject', 'revoke')),
    terms_hash   text NOT NULL
                 CONSTRAINT exception_approval_audit_terms_hash_check CHECK (terms_hash ~ '^sha256:[0-9a-f]{64}$'),
    remark       text NOT NULL DEFAULT '',
    decided_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (exception_id, decision_no)
);
CREATE INDEX exception_approval_audit_approver_idx ON @policy@.exception_approval_audit (approver);
COMMENT ON TABLE @policy@.exception_approval_audit IS 'who decided what on an exception, in order; append-only. Of each approver the last decision counts';
COMMENT ON COLUMN @policy@.exception_approval_audit.decision_no IS '1, 2, 3 … of the exception, given by a trigger whatever is inserted';
COMMENT ON COLUMN @policy@.exception_approval_audit.approver IS 'never the requester; a client that is enabled and has scope exception:<capacity>';
COMMENT ON COLUMN @policy@.exception_approval_audit.capacity IS 'what the decision was made as: approver, security, owner or executive';
COMMENT ON COLUMN @policy@.exception_approval_audit.decision IS 'approve; reject (it takes no effect while this stands, whatever others say); revoke (takes back one''s own last decision)';
COMMENT ON COLUMN @policy@.exception_approval_audit.terms_hash IS 'terms_hash() of what was decided on: an approval counts for these terms only. Null when inserted: filled';

CREATE FUNCTION @policy@.terms_hash(e @policy@.exceptions) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT @authority@.digest(jsonb_build_array(e.exception_id, e.policy_id, e.vulnerability_id, e.component, e.effect,
        extract(epoch FROM e.defer_until), e.downgrade_to, e.control, e.approval_level, e.requested_by, e.reason,
        extract(epoch FROM e.expires_at)))
$$;
COMMENT ON FUNCTION @policy@.terms_hash(@policy@.exceptions) IS 'digest of all that an approver of an exception agrees to';

CREATE FUNCTION @policy@.missing_approvals(e @policy@.exceptions) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH last AS (
        SELECT DISTINCT ON (a.approver) a.approver, a.capacity, a.decision, a.terms_hash
        FROM @policy@.exception_approval_audit AS a
        WHERE a.exception_id = e.exception_id AND a.approver <> e.requested_by
        ORDER BY a.approver, a.decision_no DESC
    ), standing AS (
        SELECT count(*) FILTER (WHERE good) AS approvals,
               count(*) FILTER (WHERE good AND capacity = 'security') AS security,
               count(*) FILTER (WHERE good AND capacity IN ('owner', 'executive')) AS owner,
               string_agg(approver, ', ' ORDER BY approver) FILTER (WHERE decision = 'reject') AS rejected
        FROM (SELECT *, decision = 'approve' AND terms_hash = @policy@.terms_hash(e) AS good FROM last) AS l
    ), needed AS (
        SELECT CASE e.approval_level WHEN 'G0' THEN 0 WHEN 'G1' THEN 1 WHEN 'G4' THEN 3 ELSE 2 END AS approvals,
               e.approval_level IN ('G3', 'G4') AS security, e.approval_level = 'G4' AS owner
    )
    SELECT array_remove(ARRAY[
        'rejected by ' || s.rejected,
        CASE WHEN s.approvals < n.approvals THEN format('%s of %s approvals', s.approvals, n.approvals) END,
        CASE WHEN n.security AND s.security = 0 THEN 'none as security' END,
        CASE WHEN n.owner AND s.owner = 0 THEN 'none as owner or executive' END], NULL)
    FROM standing AS s CROSS JOIN needed AS n
$$;
COMMENT ON FUNCTION @policy@.missing_approvals(@policy@.exceptions) IS
    'what keeps an exception from taking effect, as far as approvals go; empty if nothing';

CREATE FUNCTION @policy@.exception_state() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    missing text[];
BEGIN
    -- On INSERT all of OLD is null.
    IF OLD.state IN ('rejected', 'revoked', 'expired') THEN
        RAISE EXCEPTION 'exception % is %, for good', OLD.exception_id, OLD.state
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'request a new exception';
    END IF;
    IF NEW.exception_id <> OLD.exception_id THEN
        RAISE EXCEPTION 'exception % cannot have another id', OLD.exception_id
            USING ERRCODE = 'check_violation', HINT = 'request a new exception';
    END IF;
    -- Else whoever lacks approvals would do without.
    IF NEW.approval_level < OLD.approval_level THEN
        RAISE EXCEPTION 'exception % is of level %, and cannot become one of %', OLD.exception_id, OLD.approval_level, NEW.approval_level
            USING ERRCODE = 'check_violation', HINT = 'a level can be raised; request a new exception, or leave it';
    END IF;
    IF NEW.state <> 'effective' THEN
        NEW.effective_from := CASE WHEN NEW.state <> 'proposed' THEN OLD.effective_from END;
        RETURN NEW;
    END IF;
    -- The row is locked, and every decision changes it: none is on its way that is not seen here.
    missing := @policy@.missing_approvals(NEW);
    IF cardinality(missing) > 0 THEN
        RAISE EXCEPTION 'exception % cannot take effect at level %: %', NEW.exception_id, NEW.approval_level, array_to_string(missing, ', ')
            USING ERRCODE = 'check_violation',
                  HINT = 'decisions go into @policy@.exception_approval_audit; approvals count for the terms they were given for';
    END IF;
    IF NEW.expires_at <= now() THEN
        RAISE EXCEPTION 'exception % cannot take effect: it expired at %', NEW.exception_id, NEW.expires_at
            USING ERRCODE = 'check_violation', HINT = 'request a new exception';
    END IF;
    NEW.effective_from := CASE WHEN OLD.state = 'effective' THEN OLD.effective_from ELSE now() END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @policy@.exception_state() IS
    'trigger: an exception takes effect, and stays so when changed, only with the approvals that its level asks for';
CREATE TRIGGER exception_state BEFORE INSERT OR UPDATE ON @policy@.exceptions
    FOR EACH ROW EXECUTE FUNCTION @policy@.exception_state();

CREATE FUNCTION @policy@.approval_decided() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    e     @policy@.exceptions;
    terms text;
BEGIN
    -- Counted, not only locked: so a transaction with an older snapshot cannot let the exception take effect on
    -- decisions that it does not see.
    UPDATE @policy@.exceptions AS x SET decisions = x.decisions + 1
    WHERE x.exception_id = NEW.exception_id AND x.state IN ('proposed', 'effective') AND x.expires_at > now()
    RETURNING x.* INTO e;
    IF NOT FOUND THEN
        SELECT * INTO e FROM @policy@.exceptions AS x WHERE x.exception_id = NEW.exception_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no exception %', NEW.exception_id
                USING ERRCODE = 'foreign_key_violation', HINT = 'insert it into @policy@.exceptions first';
        END IF;
        RAISE EXCEPTION 'exception % is %, for good', e.exception_id,
            CASE WHEN e.state IN ('proposed', 'effective') THEN 'expired' ELSE e.state END
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'request a new exception';
    END IF;
    IF NEW.approver = e.requested_by THEN
        RAISE EXCEPTION '% has requested exception %, and cannot decide on it', NEW.approver, e.exception_id
            USING ERRCODE = 'check_violation', HINT = 'somebody else has to decide';
    END IF;
    IF NEW.decision = 'revoke' AND NOT EXISTS (SELECT FROM @policy@.exception_approval_audit AS a
                                               WHERE a.exception_id = NEW.exception_id AND a.approver = NEW.approver) THEN
        RAISE EXCEPTION '% has not decided on exception %, so there is nothing to revoke', NEW.approver, e.exception_id
            USING ERRCODE = 'check_violation', HINT = 'reject it instead';
    END IF;
    -- Whoever has lost the scope can still take back what they decided.
    IF NEW.decision <> 'revoke' THEN
        PERFORM FROM @authority@.clients AS c
        WHERE c.client_id = NEW.approver AND c.enabled AND c.scopes @> ARRAY['exception:' || NEW.capacity] FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION '% cannot decide on exceptions as %', NEW.approver, NEW.capacity
                USING ERRCODE = 'insufficient_privilege', HINT = format('it takes a client that is enabled and has scope exception:%s', NEW.capacity);
        END IF;
    END IF;
    terms := @policy@.terms_hash(e);
    IF NEW.terms_hash <> terms THEN
        RAISE EXCEPTION 'the decision is on other terms of exception % (%) than it has now (%)', e.exception_id, NEW.terms_hash, terms
            USING ERRCODE = 'check_violation', HINT = 'look at the exception again: it has changed';
    END IF;
    NEW.terms_hash := terms;
    NEW.decision_no := e.decisions;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @policy@.approval_decided() IS
    'trigger: who may decide on an exception, and on which terms; decisions on one exception come one after the other';
CREATE TRIGGER approval_decided BEFORE INSERT ON @policy@.exception_approval_audit
    FOR EACH ROW EXECUTE FUNCTION @policy@.approval_decided();

CREATE FUNCTION @policy@.approval_withdrawn() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE @policy@.exceptions AS x SET state = 'proposed'
    WHERE x.exception_id = NEW.exception_id AND x.state = 'effective' AND cardinality(@policy@.missing_approvals(x)) > 0;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION @policy@.approval_withdrawn() IS
    'trigger: an exception whose approvals do not suffice any more is proposed again';
CREATE TRIGGER approval_withdrawn AFTER INSERT ON @policy@.exception_approval_audit
    FOR EACH ROW EXECUTE FUNCTION @policy@.approval_withdrawn();

CREATE FUNCTION @policy@.expire_exceptions() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    expired bigint;
BEGIN
    UPDATE @policy@.exceptions AS x SET state = 'expired' WHERE x.state IN ('proposed', 'effective') AND x.expires_at <= now();
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END $$;
COMMENT ON FUNCTION @policy@.expire_exceptions() IS 'marks exceptions whose time is over as expired, and says how many; to be run now and then';

CREATE VIEW @policy@.exceptions_in_force AS
    SELECT e.* FROM @policy@.exceptions AS e WHERE e.state = 'effective' AND e.expires_at > now();
COMMENT ON VIEW @policy@.exceptions_in_force IS 'exceptions that count now, whether or not expire_exceptions() was run in time';

-- decisions alone is no event: what it counts has entries of its own.
SELECT @verbs@.audit_attach('@policy@.exceptions', kind => '@policy@.exceptions', payload => 'full', exclude => '{decisions}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@policy@.exception_approval_audit', kind => '@policy@.exception_approval_audit', payload => 'full', append_only => true);
