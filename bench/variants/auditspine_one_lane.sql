-- One lane: a strict total order.
CREATE EXTENSION auditspine SCHEMA bench;
SELECT create_chain('single', 1) \g /dev/null
SELECT audit_attach('finding', chain => 'single') \g /dev/null
