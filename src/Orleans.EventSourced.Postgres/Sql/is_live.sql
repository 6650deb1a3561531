-- Whether a version is the one that the view's plain name shows. $1 view, $2 version. No lock.
select exists (select from es_views.live where view = $1 and version = $2)
