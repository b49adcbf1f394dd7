\set turn :turn + 1
\set id :client_id * :turns + :turn
DELETE FROM finding WHERE id = :id;
