-- The statements that grant again what was granted on a view of es_views to others than its owner, in one text; null: nothing was. $1 the view's name. No lock.
select string_agg(
  format('grant %s on es_views.%I to %s%s', a.privilege_type, c.relname, case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end, case when a.is_grantable then ' with grant option' else '' end),
  '; ' order by a.grantee, a.privilege_type)
from pg_catalog.pg_namespace n
join pg_catalog.pg_class c on c.relnamespace = n.oid
cross join lateral aclexplode(c.relacl) a
where n.nspname = 'es_views' and c.relname = $1 and c.relkind = 'v' and a.grantee <> c.relowner
