-- What the corpus adds to the planted database: relatives of the kinds in SOUNDNESS.md that planted.sql has not.
-- Loaded by an administrator into a copy of it; worlds.py then gives the copy its values.
SET client_min_messages = warning;
SET ROLE app_owner;

-- sensitive values of other types than text
CREATE TABLE vault (
  id int PRIMARY KEY,
  pin int NOT NULL CHECK (pin > 0),
  doc jsonb NOT NULL,
  raw bytea NOT NULL,
  box pair NOT NULL,
  phones text[] NOT NULL,
  balance numeric(12, 2) NOT NULL,
  born date NOT NULL,
  label text NOT NULL
);
INSERT INTO vault SELECT i, i, '{}', '', row(i, ''::text)::pair, '{}', i, '2000-01-01', 'label ' || i
  FROM generate_series(1, 3) AS i;
CREATE TABLE treasury (
  id int PRIMARY KEY, t text, v varchar(20), c char(12), i2 int2, i4 int4, i8 int8, n numeric(12, 2), f4 float4,
  f8 float8, b bool, u uuid, d date, ts timestamp, tz timestamptz, j json, jb jsonb, ta text[], ia int[], by bytea,
  ip inet, m mood, p positive, box pair
);
INSERT INTO treasury (id) SELECT generate_series(1, 4);
CREATE TABLE badges (id int PRIMARY KEY, ssn text NOT NULL REFERENCES customers (ssn) ON UPDATE CASCADE);
INSERT INTO badges SELECT id, ssn FROM customers WHERE id <= 2;

-- more that closes over them
CREATE VIEW v_star AS SELECT * FROM customers;
CREATE VIEW v_union AS SELECT id, name AS word FROM customers UNION ALL SELECT id, ssn FROM customers;
CREATE VIEW v_adults AS SELECT * FROM customers WHERE age > 18 WITH CHECK OPTION;
CREATE VIEW v_function AS SELECT first_ssn() AS word;
CREATE VIEW v_filtered AS SELECT id, name FROM customers WHERE ssn LIKE '5%';
CREATE VIEW v_recursive AS WITH RECURSIVE r (n, word) AS (
  SELECT 1, ssn FROM customers WHERE id = 1 UNION ALL SELECT n + 1, word FROM r WHERE n < 2) SELECT n, word FROM r;
CREATE VIEW v_lateral AS SELECT o.id, l.word FROM s1.t o, LATERAL (SELECT ssn AS word FROM customers WHERE id = o.id) l;
CREATE VIEW v_vault AS SELECT id, (box).b AS part, doc ->> 'secret' AS said, phones[1] AS phone FROM vault;
CREATE MATERIALIZED VIEW mv_deep AS SELECT number AS copied FROM mv;
CREATE STATISTICS customers_pairs (mcv) ON ssn, age FROM customers;
CREATE UNIQUE INDEX customers_lower ON customers (lower(ssn));

-- names that have a namesake in pg_catalog and act
CREATE FUNCTION initcap(varchar) RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER
  AS 'WITH gone AS (DELETE FROM public.victims RETURNING 1) SELECT count(*)::text FROM gone';
CREATE FUNCTION wipe_pair(varchar, varchar) RETURNS bool LANGUAGE sql VOLATILE SECURITY DEFINER
  AS 'WITH gone AS (DELETE FROM public.victims RETURNING 1) SELECT count(*) > 0 FROM gone';
CREATE OPERATOR ^@ (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = wipe_pair);
CREATE FUNCTION wipe_mood(mood) RETURNS int LANGUAGE sql VOLATILE SECURITY DEFINER
  AS 'WITH gone AS (DELETE FROM public.victims RETURNING 1) SELECT count(*)::int FROM gone';
CREATE CAST (mood AS int) WITH FUNCTION wipe_mood(mood);
CREATE FUNCTION wipe_immutable() RETURNS int LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER
  AS $$ BEGIN RAISE NOTICE 'gone %', (SELECT ssn FROM public.customers WHERE id = 1); RETURN 1; END $$;

-- functions and rules that hide what they do
CREATE FUNCTION tell(wanted int) RETURNS int LANGUAGE plpgsql STABLE SECURITY DEFINER
  AS $$ BEGIN RAISE EXCEPTION 'told %', (SELECT ssn FROM public.customers WHERE id = wanted); END $$;
CREATE FUNCTION whisper(wanted int) RETURNS int LANGUAGE plpgsql STABLE SECURITY DEFINER
  AS $$ BEGIN RAISE NOTICE 'told %', (SELECT ssn FROM public.customers WHERE id = wanted); RETURN 1; END $$;
CREATE FUNCTION everyone() RETURNS SETOF customers LANGUAGE sql STABLE SECURITY DEFINER
  AS 'SELECT * FROM public.customers ORDER BY id';
CREATE FUNCTION same(word text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT word';
CREATE FUNCTION switch_path() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT set_config('search_path', 's2', false) $$;
CREATE AGGREGATE gather (text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE PROCEDURE show_one() LANGUAGE plpgsql SECURITY DEFINER
  AS $$ BEGIN RAISE NOTICE 'shown %', (SELECT ssn FROM public.customers WHERE id = 1); END $$;
CREATE FUNCTION scream(word text) RETURNS bool LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN RAISE EXCEPTION 'not good: %', word; END $$;
CREATE DOMAIN screaming AS text CHECK (scream(value));
CREATE DOMAIN short AS varchar(5);
CREATE TABLE inbox (id int, body text);
CREATE RULE inbox_wipes AS ON INSERT TO inbox DO ALSO DELETE FROM victims;
CREATE TABLE trapped (id int, body text);
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  AS $$ BEGIN RAISE NOTICE 'trap %', (SELECT ssn FROM public.customers WHERE id = 1); RETURN new; END $$;
CREATE TRIGGER trapped_shows BEFORE INSERT ON trapped FOR EACH ROW EXECUTE FUNCTION trap();
CREATE TABLE defaulted (id int, body text DEFAULT first_ssn());
CREATE TABLE moods (id int, feels mood);
INSERT INTO moods VALUES (1, 'calm');

-- row security that acts, and plain row security
CREATE FUNCTION screens(int) RETURNS bool LANGUAGE plpgsql SECURITY DEFINER
  AS $$ BEGIN RAISE NOTICE 'seen %', (SELECT ssn FROM public.customers WHERE id = 1); DELETE FROM public.victims;
  RETURN true; END $$;
CREATE TABLE screened (id int);
INSERT INTO screened VALUES (1);
CREATE POLICY screens ON screened USING (screens(id));
ALTER TABLE screened ENABLE ROW LEVEL SECURITY;
CREATE TABLE screened_ssn (id int);
INSERT INTO screened_ssn VALUES (1);
CREATE POLICY looks ON screened_ssn USING (EXISTS (SELECT FROM customers c WHERE c.id = screened_ssn.id AND c.ssn::int > 0));
ALTER TABLE screened_ssn ENABLE ROW LEVEL SECURITY;
CREATE TABLE tenanted (id int, owner text, total int);
INSERT INTO tenanted SELECT i, 'app_rw', i * 10 FROM generate_series(1, 5) AS i;
CREATE POLICY own ON tenanted USING (owner = current_user AND EXISTS (SELECT FROM customers c WHERE c.id = tenanted.id));
ALTER TABLE tenanted ENABLE ROW LEVEL SECURITY;
-- where copies could go: nothing but cases of copying touches these, as a copy's class stays for as long as the gateway runs
CREATE TABLE copies (id int, body text, note varchar(5));
CREATE TABLE copied_made (id int, body text, made text GENERATED ALWAYS AS (left(body, 1)) STORED);
CREATE TABLE copied_ids (id int PRIMARY KEY, body text);
INSERT INTO copied_ids VALUES (1, 'one');
CREATE VIEW v_copied AS SELECT id, age, name FROM customers;
INSERT INTO copies (id, body) VALUES (1, 'one'), (2, 'two');
CREATE VIEW v_copies AS SELECT id, body AS word FROM copies;
CREATE TABLE copied_checks (id int, body text CHECK (body < '6'));
CREATE TABLE copied_keys (id int, body text, EXCLUDE USING btree (left(body, 1) WITH =));
CREATE TABLE copied_parts (id int, body text) PARTITION BY RANGE (body);
CREATE TABLE copied_low PARTITION OF copied_parts FOR VALUES FROM (MINVALUE) TO ('6');
CREATE TABLE copied_high PARTITION OF copied_parts FOR VALUES FROM ('6') TO (MAXVALUE);
CREATE TABLE copied_parent (id int, body text);
CREATE TABLE copied_child () INHERITS (copied_parent);

-- functions in SQL, whose bodies can be read
SET check_function_bodies = off;
CREATE FUNCTION f_path() RETURNS text LANGUAGE sql STABLE AS 'SELECT value FROM t ORDER BY id LIMIT 1';
CREATE FUNCTION f_fixed() RETURNS text LANGUAGE sql STABLE SET search_path = s2 AS 'SELECT value FROM t ORDER BY id LIMIT 1';
RESET check_function_bodies;
CREATE FUNCTION f_atomic() RETURNS text LANGUAGE sql STABLE RETURN (SELECT value FROM s2.t ORDER BY id LIMIT 1);
CREATE FUNCTION f_block(wanted int) RETURNS SETOF text LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT name FROM customers; SELECT ssn FROM customers WHERE id = wanted; END;
CREATE FUNCTION f_shadow(name text) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM public.customers c WHERE c.name = f_shadow.name';
CREATE FUNCTION f_column(ssn text) RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT ssn FROM public.customers ORDER BY id';
CREATE FUNCTION f_default(word text DEFAULT first_ssn()) RETURNS text LANGUAGE sql STABLE AS 'SELECT word';
CREATE FUNCTION f_many(VARIADIC words text[]) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT words[2]';
CREATE FUNCTION f_out(wanted int, OUT called text, OUT word text) LANGUAGE sql STABLE
  AS 'SELECT name, ssn FROM public.customers WHERE id = wanted';
CREATE FUNCTION f_table() RETURNS TABLE (n int, word text) LANGUAGE sql STABLE AS 'SELECT id, ssn FROM public.customers ORDER BY id';
CREATE FUNCTION f_either(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM public.customers WHERE id = $1';
CREATE FUNCTION f_either(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM public.customers WHERE name = $1';
CREATE FUNCTION f_any(anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION f_row(customers) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.ssn';
CREATE FUNCTION f_bit(text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN $1 < '6' THEN 1 END $$;
CREATE FUNCTION f_number(text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT replace($1, '-', '')::int $$;
CREATE FUNCTION f_asks() RETURNS SETOF int LANGUAGE sql STABLE AS $$ SELECT id FROM public.customers WHERE ssn LIKE '5%' $$;
CREATE FUNCTION f_sorts() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT id FROM public.customers ORDER BY ssn';
CREATE FUNCTION f_keeps(text) RETURNS text LANGUAGE sql VOLATILE AS 'INSERT INTO public.copies (body) VALUES ($1) RETURNING body';
CREATE FUNCTION f_sets(text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT set_config('application_name', $1, false) $$;
CREATE FUNCTION f_deep(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT same(same($1))';
CREATE FUNCTION f_again(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM public.customers WHERE id = $1';
CREATE OR REPLACE FUNCTION f_again(int) RETURNS text LANGUAGE sql STABLE
  AS 'SELECT CASE WHEN $1 > 5 THEN f_again($1 - 5) ELSE (SELECT ssn FROM public.customers WHERE id = $1) END';

-- views that steer, count, order
CREATE VIEW v_ordered AS SELECT id FROM customers ORDER BY ssn;
CREATE VIEW v_first AS SELECT id, name FROM customers ORDER BY ssn LIMIT 1;
CREATE VIEW v_ranked AS SELECT id, rank() OVER (ORDER BY ssn) AS place FROM customers;
CREATE VIEW v_grouped AS SELECT count(*) AS many, left(ssn, 1) AS digit FROM customers GROUP BY left(ssn, 1);
CREATE VIEW v_asks AS SELECT id, ssn > '6' AS above FROM customers;
CREATE VIEW v_table AS SELECT n, word FROM f_table();
CREATE VIEW v_barrier WITH (security_barrier) AS SELECT id, ssn FROM customers WHERE id < 4;
CREATE VIEW v_named (a, b, c) AS SELECT id, name, ssn FROM customers;
ALTER VIEW v_named RENAME COLUMN c TO word;
CREATE VIEW v_one AS SELECT * FROM v_named;
CREATE VIEW v_two AS SELECT o.*, lower(o.word) AS small FROM v_one o;
CREATE VIEW v_join AS SELECT c.id, b.ssn AS word FROM customers c JOIN badges b USING (ssn);
RESET ROLE;

-- a schema that no account may use: a path passes over it
CREATE SCHEMA hid;
CREATE TABLE hid.t (id int, value text);
