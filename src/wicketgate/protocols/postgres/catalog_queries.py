"""The queries over system catalogs that make a database's snapshot, and the one that tells of a change.
They must only read, with every name of pg_catalog found in an empty search_path."""

LASTING = "exists (select from pg_class l where l.oid = {oid} and l.relpersistence <> 't')"
OURS = "n.nspname !~ '^pg_(toast_)?temp_'"

EXTENSION = """
  (select e.extname::text from pg_depend d join pg_extension e on e.oid = d.refobjid
   where d.classid = '{table}'::regclass and d.objid = {oid} and d.refclassid = 'pg_extension'::regclass
   and d.deptype = 'e' limit 1)"""

RELATIONS = f"""
select c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.reltype::int8, c.reltoastrelid::int8,
       c.relhassubclass and c.relkind <> 'p',
       exists (select from pg_rewrite r where r.ev_class = c.oid and r.ev_type <> '1'),
       exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
               and d.refclassid = 'pg_extension'::regclass and d.deptype = 'e')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 't', 'c') and {OURS}
order by c.oid"""

COLUMNS = f"""
select a.attrelid::int8, array_agg(a.attnum::int8 order by a.attnum),
       array_agg(a.attname::text order by a.attnum), array_agg(a.atttypid::int8 order by a.attnum),
       array_agg(a.attgenerated::text order by a.attnum), array_agg(a.atttypmod::int8 order by a.attnum)
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 't', 'c') and
{OURS}
group by a.attrelid order by a.attrelid"""

VIEWS = f"""
select c.oid::int8, pg_get_viewdef(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('v', 'm') and {OURS}
  and (n.nspname not in ('pg_catalog', 'information_schema') or c.oid >= 16384)
  and not c.oid = any ($1::int8[]::oid[])
order by c.oid"""
"""$1: those that are left out."""

USES = f"""
select distinct r.ev_class::int8, d.refobjid::int8, d.refobjsubid::int8
from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
where d.refclassid = 'pg_class'::regclass and d.refobjid <> r.ev_class and r.oid >= 16384
  and {LASTING.format(oid="r.ev_class")}
order by 1, 2, 3"""

GENERATED = f"""
select distinct a.attrelid::int8, a.attnum::int8, d.refobjsubid::int8
from pg_attribute a
left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid
  and d.refobjsubid <> a.attnum and d.refobjsubid > 0
  and (d.classid = 'pg_class'::regclass and d.objid = a.attrelid and d.objsubid = a.attnum
       or d.classid = 'pg_attrdef'::regclass and d.objid = f.oid)
where a.attgenerated <> '' and not a.attisdropped and {LASTING.format(oid="a.attrelid")}
order by 1, 2, 3"""


def _printed(tree: str, relation: str) -> str:
    """The text of an expression; NULL where its relation is one of $1, and is not touched then."""
    return (
        f"case when {relation} = any ($1::int8[]::oid[]) then null else pg_get_expr({tree}, {relation}) end"
    )


EXPRESSIONS = f"""
select x.relation::int8, x.moment, x.text from (
  select p.polrelid as relation, 'any' as moment, e.text
    from pg_policy p join pg_class c on c.oid = p.polrelid,
    lateral (values ({_printed("p.polqual", "p.polrelid")}),
                    ({_printed("p.polwithcheck", "p.polrelid")})) e (text)
    where c.relrowsecurity
  union all select f.adrelid, case a.attgenerated when 'v' then 'any' else 'store' end,
      {_printed("f.adbin", "f.adrelid")}
    from pg_attrdef f join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
  union all select k.conrelid, 'guard', {_printed("k.conbin", "k.conrelid")}
    from pg_constraint k where k.contype = 'c' and k.conrelid <> 0
  union all select i.indrelid, 'guard', e.text from pg_index i,
    lateral (values ({_printed("i.indexprs", "i.indrelid")}),
                    ({_printed("i.indpred", "i.indrelid")})) e (text)
  union all select p.partrelid, 'guard', {_printed("p.partexprs", "p.partrelid")} from pg_partitioned_table p
) x where x.text is not null and x.relation >= 16384 and {LASTING.format(oid="x.relation")}
order by 1, 2, 3"""
"""What a relation's own expressions are, and when they run: policies and what is computed at each reading at
`any` access, defaults and stored columns where a row is stored, the rest guards what is written."""

LOCKED = """
with locked as (
  select l.relation as oid from pg_locks l join pg_database d on d.oid = l.database
  where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock' and d.datname = current_database()
    and l.pid <> pg_backend_pid())
select l.oid::int8 from locked l
union select r.ev_class::int8
from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
join locked l on l.oid = d.refobjid where d.refclassid = 'pg_class'::regclass
union select p.polrelid::int8
from pg_policy p join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid
join locked l on l.oid = d.refobjid where d.refclassid = 'pg_class'::regclass"""
"""Relations that a transaction has locked against being read, or waits to, and those whose views or policies
name them."""

STATISTICS = f"""
select s.stxrelid::int8, 'guard', {_printed("s.stxexprs", "s.stxrelid")} from pg_statistic_ext s
where s.stxexprs is not null and not s.stxrelid = any ($1::int8[]::oid[])
  and {LASTING.format(oid="s.stxrelid")}
order by 1, 3"""
"""More of them, from 14 on."""

CODE = f"""
select distinct x.relation::int8, x.moment, n.nspname::text || '.' || p.proname::text, p.provolatile::text,
       {EXTENSION.format(table="pg_proc", oid="p.oid")}
from (
  select t.tgrelid as relation, 'trigger' as moment, t.tgfoid as code from pg_trigger t
    where not t.tgisinternal and t.tgenabled <> 'D'
  union all select t.tgrelid, 'trigger', coalesce(o.oprcode, d.refobjid)
    from pg_trigger t join pg_depend d on d.classid = 'pg_trigger'::regclass and d.objid = t.oid
    left join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
    where not t.tgisinternal and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass)
  union all select r.relation, 'guard', o.oprcode::oid
    from (select oid, conrelid as relation from pg_constraint
          union all select oid, confrelid from pg_constraint) r
    join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid = r.oid
    join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
  union all select i.indrelid, 'any', m.amproc::oid
    from pg_index i join pg_opclass c on c.oid = any (i.indclass::oid[])
    join pg_amproc m on m.amprocfamily = c.opcfamily
  union all select i.indrelid, 'any', o.oprcode::oid
    from pg_index i join pg_opclass c on c.oid = any (i.indclass::oid[])
    join pg_amop m on m.amopfamily = c.opcfamily join pg_operator o on o.oid = m.amopopr
  union all select t.partrelid, 'any', m.amproc::oid
    from pg_partitioned_table t join pg_opclass c on c.oid = any (t.partclass::oid[])
    join pg_amproc m on m.amprocfamily = c.opcfamily
  union all select a.attrelid, 'any', s.code
    from pg_attribute a join pg_type b on b.oid = a.atttypid join pg_range g
      on g.rngtypid in (a.atttypid, b.typelem, b.typbasetype) or exists (
        select from pg_depend d where d.classid = 'pg_type'::regclass and d.deptype = 'i'
        and d.objid in (a.atttypid, b.typelem) and d.refclassid = 'pg_type'::regclass
        and d.refobjid = g.rngtypid),
    lateral (
      select g.rngsubdiff::oid as code union all select g.rngcanonical::oid
      union all select m.amproc::oid from pg_opclass c join pg_amproc m on m.amprocfamily = c.opcfamily
        where c.oid = g.rngsubopc) s
    where a.attnum > 0 and not a.attisdropped and g.rngtypid >= 16384
) x join pg_proc p on p.oid = x.code join pg_namespace n on n.oid = p.pronamespace
where p.oid >= 16384 and {LASTING.format(oid="x.relation")}
order by 1, 2, 3, 4, 5"""
"""Functions outside the server's own that run beside a statement without being named in an expression."""

EVENT_TRIGGERS = f"""
select distinct n.nspname::text || '.' || p.proname::text, p.provolatile::text,
       {EXTENSION.format(table="pg_proc", oid="p.oid")}
from pg_event_trigger t join pg_proc p on p.oid = t.evtfoid join pg_namespace n on n.oid = p.pronamespace
where t.evtenabled <> 'D' order by 1"""

FOREIGN = f"""
select k.confrelid::int8, k.conrelid::int8, k.confupdtype::text, k.confdeltype::text, k.confkey::int8[],
       k.conkey::int8[]
from pg_constraint k
where k.contype = 'f' and {LASTING.format(oid="k.conrelid")}
order by k.oid"""

COLLATIONS = """
select c.collname::text, bool_and(c.collisdeterministic) from pg_collation c group by 1 order by 1"""

PATTERNED = f"""
select a.attrelid::int8, a.attnum::int8 from pg_attribute a join pg_collation c on c.oid = a.attcollation
where not c.collisdeterministic and a.attnum > 0 and not a.attisdropped
  and {LASTING.format(oid="a.attrelid")}
order by 1, 2"""
"""Columns whose collation takes different texts for equal."""

COLLATED_TYPES = """
select t.oid::int8 from pg_type t join pg_collation c on c.oid = t.typcollation
where not c.collisdeterministic order by 1"""

SEQUENCES = f"""
select distinct x.sequence::int8, x.relation::int8, x.attribute::int8 from (
  select d.objid as sequence, d.refobjid as relation, d.refobjsubid as attribute
    from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
  union all select d.refobjid, f.adrelid, f.adnum
    from pg_attrdef f join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
    join pg_class s on s.oid = d.refobjid and s.relkind = 'S' and d.refclassid = 'pg_class'::regclass
) x where {LASTING.format(oid="x.relation")}
order by 1, 2, 3"""
"""Sequences and the columns that they feed."""

INHERITS = f"""
select inhrelid::int8, inhparent::int8 from pg_inherits where {LASTING.format(oid="inhrelid")} order by
1, 2"""

BOUNDS = f"""
select t.partrelid::int8, array_remove(t.partattrs::int2[]::int8[], 0::int8) from pg_partitioned_table t
where {LASTING.format(oid="t.partrelid")} order by 1"""
"""Columns by which partitioned tables tell their partitions apart."""

EXCLUDING = f"""
select distinct k.conrelid::int8 from pg_constraint k
where k.contype = 'x' and {LASTING.format(oid="k.conrelid")} order by 1"""

KEYS = f"""
select i.indrelid::int8, (i.indkey::int2[])[0:i.indnkeyatts - 1]::int8[]
from pg_index i
where i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
  and {LASTING.format(oid="i.indrelid")}
order by i.indexrelid"""

BUILTIN_FUNCTIONS = """
select p.proname::text, min(case p.provolatile when 'v' then '0' when 's' then '1' else '2' end),
       bool_or(p.prokind = 'a'), bool_or(p.prokind = 'p')
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'pg_catalog' and p.oid < 16384
group by 1 order by 1"""

FUNCTIONS = f"""
select n.nspname::text, p.proname::text, p.provolatile::text, p.prokind::text,
       {EXTENSION.format(table="pg_proc", oid="p.oid")}, p.oid::int8,
       case when p.provariadic = 0 then p.pronargs::int8 else -1 end, p.pronargdefaults::int8
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where (n.nspname <> 'pg_catalog' or p.oid >= 16384) and {OURS}
order by p.oid"""

ROUTINES = f"""
select p.oid::int8, n.nspname::text, p.proname::text, p.prosrc, {{body}}, p.prosecdef, p.proconfig,
       p.prorettype::int8, p.proargnames::text[], p.proargmodes::text[],
       coalesce(p.proallargtypes::int8[], p.proargtypes::oid[]::int8[])
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
where l.lanname = 'sql' and p.prokind = 'f' and p.provariadic = 0 and {OURS}
  and (n.nspname <> 'pg_catalog' or p.oid >= 16384)
  and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid
                  and d.refclassid = 'pg_class'::regclass and d.refobjid = any ($1::int8[]::oid[]))
order by p.oid"""
"""Functions in SQL, but for those bound to $1. body: what prints a body whose names were bound when it was
made (from 14 on)."""

BUILTIN_OPERATORS = """
select distinct o.oprname::text from pg_operator o join pg_namespace n on n.oid = o.oprnamespace
where n.nspname = 'pg_catalog' and o.oid < 16384 order by 1"""

OPERATORS = f"""
select n.nspname::text, o.oprname::text, p.provolatile::text,
       {EXTENSION.format(table="pg_operator", oid="o.oid")}
from pg_operator o join pg_namespace n on n.oid = o.oprnamespace left join pg_proc p on p.oid = o.oprcode
where (n.nspname <> 'pg_catalog' or o.oid >= 16384) and {OURS}
order by o.oid"""

CASTS = f"""
select c.castsource::int8, c.casttarget::int8, c.castcontext::text, s.typname::text, t.typname::text,
       f.nspname::text || '.' || p.proname::text, {EXTENSION.format(table="pg_cast", oid="c.oid")}
from pg_cast c join pg_type s on s.oid = c.castsource join pg_type t on t.oid = c.casttarget
left join pg_proc p on p.oid = c.castfunc left join pg_namespace f on f.oid = p.pronamespace
where c.oid >= 16384 and not coalesce(p.prolang = 12 and p.prosrc = 'multirange_constructor1', false)
order by c.oid"""

TYPES = f"""
select t.oid::int8, n.nspname::text, t.typname::text, t.typtype::text, t.typrelid::int8,
       case t.typtype when 'r' then (select g.rngsubtype from pg_range g where g.rngtypid = t.oid)
       when 'm' then (select d.refobjid from pg_depend d where d.classid = 'pg_type'::regclass
         and d.objid = t.oid and d.refclassid = 'pg_type'::regclass and d.deptype = 'i')
       else t.typelem end::int8,
       t.typbasetype::int8,
       case when t.typtype = 'd' then exists (
         select from pg_constraint k join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid
         = k.oid
         where k.contypid = t.oid and (
           d.refclassid = 'pg_proc'::regclass and d.refobjid >= 16384
           or d.refclassid = 'pg_operator'::regclass and d.refobjid >= 16384))
       when t.typtype = 'r' then exists (select from pg_range g where g.rngtypid = t.oid and
         (g.rngcanonical >= 16384 or g.rngsubdiff >= 16384 or g.rngsubopc >= 16384))
       else false end,
       {EXTENSION.format(table="pg_type", oid="t.oid")},
       case when t.typtype = 'd' then (select string_agg(pg_get_expr(k.conbin, 0), ', ' order by k.oid)
         from pg_constraint k where k.contypid = t.oid and k.contype = 'c') end
from pg_type t join pg_namespace n on n.oid = t.typnamespace
where {OURS} and (n.nspname <> 'pg_catalog' or t.oid >= 16384)
order by t.oid"""

OPEN_SCHEMAS = f"""
select n.nspname::text from pg_namespace n where {OURS} and has_schema_privilege('public', n.oid, 'USAGE')
order by 1"""
"""Schemas that everybody may use: a path never skips them."""

SCHEMAS = f"""
select n.nspname::text from pg_namespace n where {OURS} order by 1"""

BUILTIN_TYPES = """
select t.typname::text from pg_type t join pg_namespace n on n.oid = t.typnamespace
where n.nspname = 'pg_catalog' and t.oid < 16384 order by 1"""

NAMES = f"""
select x.name::text from (
  select nspname as name from pg_namespace n where {OURS}
  union select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('i', 'I') and {OURS} and n.nspname <> 'pg_catalog'
  union select conname from pg_constraint where oid >= 16384
    and (conrelid = 0 or {LASTING.format(oid="conrelid")})
  union select tgname from pg_trigger where not tgisinternal and {LASTING.format(oid="tgrelid")}
  union select collname from pg_collation where oid >= 16384
  union select extname from pg_extension
  union select polname from pg_policy) x
order by 1"""

FINGERPRINT = """
select md5(concat_ws(',',
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_class t
     where t.relpersistence <> 't'),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.attrelid::int8 * 7 + t.attnum) % 1000000007))
     from pg_attribute t
     where t.attrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_proc t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007))
     from pg_namespace t where t.nspname !~ '^pg_(toast_)?temp_'),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_type t
     where t.typnamespace not in (select oid from pg_namespace where nspname ~ '^pg_(toast_)?temp_')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_rewrite t
     where t.ev_class in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.inhrelid::int8) % 1000000007)) from
  pg_inherits t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from
  pg_operator t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_cast t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.indexrelid::int8) % 1000000007)) from
  pg_index t
     where t.indrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from
  pg_constraint t
     where t.conrelid = 0 or t.conrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_trigger t
     where t.tgrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from
  pg_extension t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_policy t
     where t.polrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_attrdef t
     where t.adrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007))
     from pg_statistic_ext t
     where t.stxrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007))
     from pg_event_trigger t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007))
     from pg_collation t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_amproc t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_amop t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_namespace t
     where t.nspname !~ '^pg_(toast_)?temp_')
))"""
