-- Whether a version is the one that the view's plain name shows.
-- parameters: $view, $version; columns: 0 or 1
select exists (select 1 from live where view = $view and version = $version)
