-- Makes a version the live one of its view, if none is yet; one row affected: it is.
-- parameters: $view, $version
insert into live (view, version) values ($view, $version) on conflict do nothing
