-- Makes a version the one that the view's plain name shows, if none is yet; one row affected: it is. $1 view, $2 version. Locks the new row until the commit.
insert into es_views.live (view, version) values ($1, $2) on conflict (view) do nothing
