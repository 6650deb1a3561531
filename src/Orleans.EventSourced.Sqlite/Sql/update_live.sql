-- Makes a version the one that the view's plain name shows; no row affected: it is already.
-- parameters: $view, $version
update live set version = $version where view = $view and version <> $version
