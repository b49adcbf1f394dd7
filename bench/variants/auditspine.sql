-- Chain main, 32 lanes.
CREATE EXTENSION auditspine SCHEMA bench;
SELECT audit_attach('finding') \g /dev/null
