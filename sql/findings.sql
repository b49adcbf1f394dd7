-- The catalogue of findings: what each means, and what to do.

CREATE FUNCTION auditspine.finding_kinds()
    RETURNS TABLE (layer text, finding text, severity text, meaning text, action text)
    LANGUAGE c IMMUTABLE PARALLEL SAFE
    ROWS 90
    AS 'MODULE_PATHNAME', 'finding_kinds_wrapper';
COMMENT ON FUNCTION auditspine.finding_kinds() IS 'what the view finding_kind shows';

CREATE VIEW auditspine.finding_kind AS
SELECT k.layer, k.finding, k.severity, k.meaning, k.action FROM auditspine.finding_kinds() AS k;
COMMENT ON VIEW auditspine.finding_kind IS 'every kind of finding: what it means, and what to do';
COMMENT ON COLUMN auditspine.finding_kind.layer IS 'what is verified where it can be found; links, rows, heads, keys, adopted and state as in alerts, spines of spine_findings()';
COMMENT ON COLUMN auditspine.finding_kind.finding IS 'its stable name; several layers can have kinds of one name';
COMMENT ON COLUMN auditspine.finding_kind.severity IS 'critical, or notice: a notice leaves the verdict ok, and raises no alert';
COMMENT ON COLUMN auditspine.finding_kind.meaning IS 'what was found';
COMMENT ON COLUMN auditspine.finding_kind.action IS 'what to do';
GRANT SELECT ON auditspine.finding_kind TO PUBLIC;
