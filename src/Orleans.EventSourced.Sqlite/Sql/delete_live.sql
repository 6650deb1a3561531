-- Forgets which version of a view is live, if it is this one; one row affected: it was.
-- parameters: $view, $version
delete from live where view = $view and version = $version
