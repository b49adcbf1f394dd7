-- A chain of 32 lanes for each value of scan_id.
CREATE EXTENSION auditspine SCHEMA bench;
SELECT audit_attach('finding', chain_by => '{scan_id}') \g /dev/null
