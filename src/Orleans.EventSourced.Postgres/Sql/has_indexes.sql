-- Whether a table of es_views has indexes beside its primary key; they are made all at once; null: there is no such table. $1 table. No lock.
select exists (select from pg_catalog.pg_index i where i.indrelid = t.oid and not i.indisprimary)
from pg_catalog.pg_namespace n
join pg_catalog.pg_class t on t.relnamespace = n.oid
where n.nspname = 'es_views' and t.relname = $1 and t.relkind = 'r'
