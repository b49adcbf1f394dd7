\set n random(1, 1000000)
INSERT INTO finding (scan_id, severity, title, score) VALUES (:n, 'high', 'CVE-2026-10001 in library-' || :n, 7.5);
