-- Gives the table in one role another one, which no table has. $1 view, $2 version, $3 role, $4 next role. Locks the rows until the commit.
update es_views.checkpoints set role = $4 where view = $1 and version = $2 and role = $3
