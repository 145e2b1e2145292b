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
RESET ROLE;

-- a schema that no account may use: a path passes over it
CREATE SCHEMA hid;
CREATE TABLE hid.t (id int, value text);
