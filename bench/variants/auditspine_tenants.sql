-- Chain main, 32 lanes.
CREATE EXTENSION auditspine SCHEMA bench;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON finding
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('finding', 'chain_by=scan_id');
