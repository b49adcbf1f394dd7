-- The catalogue of findings as SQL sees it.
SELECT layer, finding, severity FROM auditspine.finding_kind ORDER BY layer COLLATE "C", finding COLLATE "C";
SELECT meaning, action FROM auditspine.finding_kind WHERE layer = 'rows' AND finding = 'row_edited';
SELECT count(*) FROM auditspine.finding_kind WHERE meaning !~ '^[A-Z].*\.$' OR action !~ '^[A-Z].*\.$';
