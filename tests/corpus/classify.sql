-- The database that corpus/classify.yaml is told in: each kind of relation, function and type that facts depend on.
CREATE SCHEMA other;
CREATE TABLE public.regions (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE public.customers (
  id int PRIMARY KEY, name text, email text UNIQUE, ssn text, card text, age int CHECK (age < 150),
  region int REFERENCES public.regions, note text, tags text[],
  email_norm text GENERATED ALWAYS AS (lower(email)) STORED);
CREATE TABLE public.orders (id bigint PRIMARY KEY, customer_id int REFERENCES public.customers, amount numeric(10,2), state text, placed timestamptz DEFAULT now(), UNIQUE (customer_id, placed));
CREATE TABLE public.notes (id serial PRIMARY KEY, body text);
CREATE TABLE other.orders (id int, secret_note text);
CREATE TABLE other.customers (id int, ssn text);
CREATE TABLE public.events (id bigint, at date, payload text) PARTITION BY RANGE (at);
CREATE TABLE public.events_2024 PARTITION OF public.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE public.people (id int, phone text);
CREATE TABLE public.staff (salary int) INHERITS (public.people);
CREATE VIEW public.contacts AS SELECT id, email AS contact, name FROM public.customers;
CREATE VIEW public.contacts2 AS SELECT id, contact AS c2, upper(name) AS big FROM public.contacts;
CREATE VIEW public.emailed AS SELECT id, lower(email) AS le, count(*) OVER () AS n FROM public.customers;
CREATE VIEW public.adults AS SELECT id, name FROM public.customers WHERE ssn LIKE '5%';
CREATE MATERIALIZED VIEW public.stored AS SELECT id, ssn AS number FROM public.customers;
CREATE VIEW public.plain AS SELECT id, state FROM public.orders;
CREATE FUNCTION public.wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM public.notes; SELECT 1';
CREATE FUNCTION public.pure(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION public.listed(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION other.lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
CREATE VIEW public.harmless AS SELECT id, public.wipe() AS w FROM public.regions;
CREATE PROCEDURE public.proc() LANGUAGE sql AS 'SELECT 1';
CREATE TYPE public.mood AS ENUM ('ok','bad');
CREATE FUNCTION public.checker(text) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE DOMAIN public.checked AS text CHECK (public.checker(VALUE));
CREATE DOMAIN public.short AS text CHECK (length(VALUE) < 10);
CREATE TABLE public.ruled (id int);
CREATE RULE r AS ON INSERT TO public.ruled DO ALSO DELETE FROM public.notes;
CREATE TABLE public.holder (id int, c public.customers);
CREATE FUNCTION other.eq(text, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR other.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = other.eq);
CREATE SEQUENCE public.s;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION citext;
