-- What is signed: a line for each of six segments of each spine.
SELECT json_build_object('type', 'application/json', 'payload', format('{"segment":%s,"spine":%s,"text":"%s"}', segment, spine, repeat('evidence ', 80)))
FROM generate_series(1, :spines) AS spine, generate_series(0, 5) AS segment
ORDER BY spine, segment;
