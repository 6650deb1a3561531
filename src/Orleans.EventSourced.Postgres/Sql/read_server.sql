-- What the server promises, as seen by this connection.
-- columns: fsync, full_page_writes, synchronous_commit, server_encoding, whether the login is a superuser, server version
-- locks: none
select current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('server_encoding'),
       (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = session_user), current_setting('server_version')
