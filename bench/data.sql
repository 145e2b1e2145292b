-- 500 000 rows of six columns, twice: `people` is sensitive (three columns), `plain` holds the same and is not.
CREATE TABLE people (id int, name text, email text, card text, national_id text, note text);
INSERT INTO people
  SELECT i, 'Name ' || i, 'person' || i || '@example.test', '4929' || lpad((i * 7919 % 1000000000000)::text, 12, '0'),
    lpad((i % 899 + 1)::text, 3, '0') || '-' || lpad((i % 99 + 1)::text, 2, '0') || '-' || lpad((i % 9999 + 1)::text, 4, '0'),
    'note of row ' || i
  FROM generate_series(1, 500000) AS s(i0), LATERAL (SELECT i0::bigint AS i) AS l;
CREATE TABLE plain AS SELECT * FROM people;
VACUUM ANALYZE people;
VACUUM ANALYZE plain;
