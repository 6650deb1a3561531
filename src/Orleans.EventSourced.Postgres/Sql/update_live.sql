-- Makes a version the one that the view's plain name shows; no row affected: it is already. $1 view, $2 version. Locks the row until the commit.
update es_views.live set version = $2 where view = $1 and version <> $2
