-- The views and tables that are made from a view of es_views, by name, in one text; null: there are none. $1 the view's name. No lock.
select string_agg(distinct r.ev_class::regclass::text, ', ')
from pg_catalog.pg_namespace n
join pg_catalog.pg_class c on c.relnamespace = n.oid
join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = c.oid and d.classid = 'pg_catalog.pg_rewrite'::regclass
join pg_catalog.pg_rewrite r on r.oid = d.objid
where n.nspname = 'es_views' and c.relname = $1 and c.relkind = 'v' and r.ev_class <> c.oid
