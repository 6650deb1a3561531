-- Forgets which version of a view is live, if it is this one; one row affected: it was. $1 view, $2 version. Locks the row until the commit.
delete from es_views.live where view = $1 and version = $2
