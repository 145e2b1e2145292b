-- 500 000 rows of six columns: `people` is sensitive (three columns), `plain` holds the same and is not, in
-- `regulars` the three columns repeat 1 000 values. 100 000 rows of eight columns of text for detectors: in
-- `chats` every third row has something to find in each of them, in `clean` none has.
CREATE TABLE people (id int, name text, email text, card text, national_id text, note text);
INSERT INTO people
  SELECT i, 'Name ' || i, 'person' || i || '@example.test', '4929' || lpad((i * 7919 % 1000000000000)::text, 12, '0'),
    lpad((i % 899 + 1)::text, 3, '0') || '-' || lpad((i % 99 + 1)::text, 2, '0') || '-' || lpad((i % 9999 + 1)::text, 4, '0'),
    'note of row ' || i
  FROM generate_series(1, 500000) AS s(i0), LATERAL (SELECT i0::bigint AS i) AS l;
CREATE TABLE plain AS SELECT * FROM people;
VACUUM ANALYZE people;
VACUUM ANALYZE plain;
CREATE TABLE regulars AS
  SELECT p.id, p.name, q.email, q.card, q.national_id, p.note FROM people p JOIN people q ON q.id = p.id % 1000 + 1;
CREATE TABLE clean AS
  SELECT 'ticket ' || i AS a, 'the printer on floor ' || i % 40 || ' is out of paper again' AS b,
    'asked to call back on Tuesday after lunch' AS c, md5(i::text) AS d, 'shipped in ' || i % 9 || ' boxes' AS e,
    'release 3.' || i % 20 || '.' || i % 7 AS f, 'no reply so far' AS g, to_char(i, 'FM"ORD-"00000000') AS h
  FROM generate_series(1, 100000) AS s(i);
CREATE TABLE chats AS
  SELECT CASE WHEN i % 3 = 0 THEN 'mail person' || i || '@example.test' ELSE a END AS a,
    CASE WHEN i % 3 = 0 THEN b || ', says user' || i || '@example.test' ELSE b END AS b,
    CASE WHEN i % 3 = 0 THEN 'card 4111 1111 1111 1111 was declined' ELSE c END AS c,
    CASE WHEN i % 3 = 0 THEN 'call +49 30 5550' || lpad((i % 10000)::text, 4, '0') ELSE d END AS d,
    CASE WHEN i % 3 = 0 THEN 'iban DE89 3704 0044 0532 0130 00' ELSE e END AS e,
    CASE WHEN i % 3 = 0 THEN 'ssn 219-09-' || lpad((i % 9000 + 1)::text, 4, '0') ELSE f END AS f,
    CASE WHEN i % 3 = 0 THEN 'from 198.51.100.' || i % 250 ELSE g END AS g,
    CASE WHEN i % 3 = 0 THEN 'password=hunter' || i || 'XyZ' ELSE h END AS h
  FROM (SELECT row_number() OVER () AS i, * FROM clean) AS each;
VACUUM ANALYZE regulars;
VACUUM ANALYZE clean;
VACUUM ANALYZE chats;
