-- Forgets what waits for a row.
-- parameters: $view, $version, $edition, $slice, $key
delete from parked where view = $view and version = $version and edition = $edition and slice = $slice and key = $key
