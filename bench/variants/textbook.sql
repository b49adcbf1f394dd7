\ir ../baselines/textbook_fork.sql
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON finding
    FOR EACH ROW EXECUTE FUNCTION textbook_append('finding', 'id');
