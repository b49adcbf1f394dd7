-- The catalogue of findings as SQL sees it.
SELECT layer, finding, severity FROM auditspine.finding_kind ORDER BY layer COLLATE "C", finding COLLATE "C";
SELECT meaning, action FROM auditspine.finding_kind WHERE layer = 'rows' AND finding = 'row_edited';
SELECT count(*) FROM auditspine.finding_kind WHERE meaning !~ '^[A-Z].*\.$' OR action !~ '^[A-Z].*\.$';
-- Everybody may read it.
SET ROLE pg_monitor;
SELECT count(*) > 0 AS readable FROM auditspine.finding_kind;
