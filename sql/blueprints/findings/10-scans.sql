-- Scans, what they found, what people said of it, and how the runs went. Names without a schema are pg_catalog's.

CREATE TABLE @schema@.scans (
    scan_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project     text NOT NULL CONSTRAINT scans_project_check CHECK (project <> ''),
    revision    text CONSTRAINT scans_revision_check CHECK (revision <> ''),
    state       text NOT NULL DEFAULT 'running'
                CONSTRAINT scans_state_check CHECK (state IN ('running', 'completed', 'failed')),
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT scans_finished_check CHECK ((finished_at IS NULL) = (state = 'running') AND finished_at >= started_at)
);
CREATE INDEX scans_project_idx ON @schema@.scans (project, started_at, scan_id);

COMMENT ON TABLE @schema@.scans IS 'runs of the pipeline over a project; deleting one deletes all that belongs to it';
COMMENT ON COLUMN @schema@.scans.project IS 'what was scanned, such as a repository';
COMMENT ON COLUMN @schema@.scans.revision IS 'the commit, tag or digest that was scanned';
COMMENT ON COLUMN @schema@.scans.state IS 'running, completed or failed';
COMMENT ON COLUMN @schema@.scans.finished_at IS 'when it ended, whichever way; null while it runs';

CREATE TABLE @schema@.pipeline_metrics (
    scan_id        bigint PRIMARY KEY
                   CONSTRAINT pipeline_metrics_scan_fkey REFERENCES @schema@.scans ON DELETE CASCADE,
    duration_ms    bigint CONSTRAINT pipeline_metrics_duration_check CHECK (duration_ms >= 0),
    files_scanned  bigint CONSTRAINT pipeline_metrics_files_check CHECK (files_scanned >= 0),
    findings_total bigint CONSTRAINT pipeline_metrics_findings_check CHECK (findings_total >= 0),
    ai_tokens      bigint CONSTRAINT pipeline_metrics_tokens_check CHECK (ai_tokens >= 0),
    -- NaN is greater than any number, and no cost.
    ai_cost_usd    numeric CONSTRAINT pipeline_metrics_cost_check CHECK (ai_cost_usd BETWEEN 0 AND 1000000)
);

COMMENT ON TABLE @schema@.pipeline_metrics IS 'what each run took and brought: exactly one row for each scan, written in the same transaction';
COMMENT ON COLUMN @schema@.pipeline_metrics.duration_ms IS 'how long the run took; null, like the others, until it is known';
COMMENT ON COLUMN @schema@.pipeline_metrics.findings_total IS 'findings when the run ended';
COMMENT ON COLUMN @schema@.pipeline_metrics.ai_tokens IS 'tokens that models read and wrote for it';
COMMENT ON COLUMN @schema@.pipeline_metrics.ai_cost_usd IS 'what the models cost, in US dollars';

-- The two references together make it one to one, not one to none. Deferred, since one of the rows comes first.
ALTER TABLE @schema@.scans ADD CONSTRAINT scans_metrics_fkey
    FOREIGN KEY (scan_id) REFERENCES @schema@.pipeline_metrics DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE @schema@.findings (
    finding_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scan_id           bigint NOT NULL
                      CONSTRAINT findings_scan_fkey REFERENCES @schema@.scans ON DELETE CASCADE,
    tool              text NOT NULL CONSTRAINT findings_tool_check CHECK (tool <> ''),
    rule_id           text NOT NULL CONSTRAINT findings_rule_check CHECK (rule_id <> ''),
    file              text NOT NULL CONSTRAINT findings_file_check CHECK (file <> ''),
    line              integer CONSTRAINT findings_line_check CHECK (line > 0),
    severity          text NOT NULL
                      CONSTRAINT findings_severity_check CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    cve_id            text CONSTRAINT findings_cve_check CHECK (cve_id ~ '^CVE-[0-9]{4}-[0-9]{4,19}$'),
    triage_decision   text CONSTRAINT findings_triage_check CHECK (triage_decision IN ('TP', 'FP')),
    ai_verdict        text CONSTRAINT findings_ai_verdict_check CHECK (ai_verdict IN ('TP', 'FP')),
    ai_confidence     numeric CONSTRAINT findings_ai_confidence_check CHECK (ai_confidence BETWEEN 0 AND 1),
    ai_reasoning      text,
    remediation_patch text,
    red_team_success  boolean,
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT findings_ai_check CHECK ((ai_verdict IS NULL) = (ai_confidence IS NULL))
);
CREATE INDEX findings_scan_idx ON @schema@.findings (scan_id);
CREATE INDEX findings_cve_idx ON @schema@.findings (cve_id) WHERE cve_id IS NOT NULL;

COMMENT ON TABLE @schema@.findings IS 'what the tools of a scan reported, and the verdicts on it';
COMMENT ON COLUMN @schema@.findings.tool IS 'the tool that reported it';
COMMENT ON COLUMN @schema@.findings.rule_id IS 'the tool''s rule';
COMMENT ON COLUMN @schema@.findings.line IS 'line in the file, from 1; null: the whole file';
COMMENT ON COLUMN @schema@.findings.cve_id IS 'the vulnerability, where the rule names one. No reference to epss_data: a CVE may have no score, or lose it';
COMMENT ON COLUMN @schema@.findings.triage_decision IS 'what was decided: TP (true positive) or FP (false positive); null until then';
COMMENT ON COLUMN @schema@.findings.ai_verdict IS 'what the model said: TP or FP; null until then';
COMMENT ON COLUMN @schema@.findings.ai_confidence IS 'how sure the model was, 0 to 1';
COMMENT ON COLUMN @schema@.findings.remediation_patch IS 'a change that would mend it, as a patch';
COMMENT ON COLUMN @schema@.findings.red_team_success IS 'whether an attempt to exploit it succeeded; null: not tried';

CREATE TABLE @schema@.feedbacks (
    feedback_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    finding_id   bigint NOT NULL
                 CONSTRAINT feedbacks_finding_fkey REFERENCES @schema@.findings ON DELETE CASCADE,
    user_name    text NOT NULL CONSTRAINT feedbacks_user_check CHECK (user_name <> ''),
    user_verdict text NOT NULL CONSTRAINT feedbacks_verdict_check CHECK (user_verdict IN ('TP', 'FP')),
    comments     text,
    given_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX feedbacks_finding_idx ON @schema@.feedbacks (finding_id);

COMMENT ON TABLE @schema@.feedbacks IS 'what people said of findings; whoever changes their mind says so in another row';
COMMENT ON COLUMN @schema@.feedbacks.user_name IS 'who said it; not called user, which in SQL means the role of the session';
COMMENT ON COLUMN @schema@.feedbacks.user_verdict IS 'TP (true positive) or FP (false positive)';

-- scans and findings are kept whole beside their hashes: audit_history() can then tell every verdict there ever was,
-- and an edited patch is seen beside the one that was recorded. It costs a copy of reasoning and patch for each change
-- of the row.
SELECT @verbs@.audit_attach('@schema@.scans', kind => '@schema@.scans', payload => 'full');
SELECT @verbs@.audit_attach('@schema@.findings', kind => '@schema@.findings', payload => 'full');
-- Of the metrics nobody asks for earlier versions: their hashes are enough.
SELECT @verbs@.audit_attach('@schema@.pipeline_metrics', kind => '@schema@.pipeline_metrics');
-- Comments are personal. They are in the hash, so an edited one is found; they are not in the chain, where nobody could
-- erase them. The verdict stands in the entry's key instead, beneath its finding: it outlives the row.
SELECT @verbs@.audit_attach('@schema@.feedbacks', kind => '@schema@.feedbacks',
                            pk => '{finding_id,feedback_id,user_verdict}');
