-- Adds rows to the audited table, in transactions of so many.
CREATE PROCEDURE fill(rows int, each int) LANGUAGE plpgsql AS $$
BEGIN
    WHILE rows > 0 LOOP
        INSERT INTO finding (scan_id, severity, title, score)
        SELECT scan_id, severity, title, score FROM ready_rows LIMIT least(rows, each);
        COMMIT;
        rows := rows - each;
    END LOOP;
END $$;
