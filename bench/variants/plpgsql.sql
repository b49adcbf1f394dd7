\ir ../baselines/plpgsql.sql
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON finding
    FOR EACH ROW EXECUTE FUNCTION plpgsql_append('finding', 'id');
