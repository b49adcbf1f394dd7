\set id random(1, :rows)
\set tenths random(0, 99)
UPDATE finding SET severity = 'low', score = :tenths / 10.0 WHERE id = :id;
