-- Makes a version the one that the view's plain name shows, if none is yet; one row affected: it is.
-- parameters: $view, $version
insert into live (view, version) values ($view, $version) on conflict do nothing
