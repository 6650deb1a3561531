-- What the server promises, as seen by this connection.
-- columns: fsync, full_page_writes, synchronous_commit, server_encoding, whether the login is a superuser, server version,
--          whether the login is a member of es_owner or may make itself one, as any role with createrole may before PostgreSQL 16
-- locks: none
select current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('server_encoding'),
       r.rolsuper, current_setting('server_version'),
       pg_catalog.pg_has_role(session_user, 'es_owner', 'member') or r.rolcreaterole and current_setting('server_version_num')::int < 160000
from pg_catalog.pg_roles r
where r.rolname = session_user
