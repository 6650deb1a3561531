-- The columns of a table of es_views and their types; none: there is no such table. $1 table. Reads the catalog's tables: to_regclass may answer from a
-- cache that a lock does not renew.
select a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
from pg_catalog.pg_namespace n
join pg_catalog.pg_class t on t.relnamespace = n.oid
join pg_catalog.pg_attribute a on a.attrelid = t.oid
where n.nspname = 'es_views' and t.relname = $1 and t.relkind = 'r' and a.attnum > 0 and not a.attisdropped
