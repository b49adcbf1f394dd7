-- One lane: a strict total order.
CREATE EXTENSION auditspine SCHEMA bench;
SELECT create_chain('single', 1) \g /dev/null
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON finding
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('finding', 'chain=single');
