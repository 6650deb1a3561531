-- Keeps an event that waits for a parked row.
-- parameters: $view, $version, $edition, $slice, $key, $position, $fault or null
insert into parked (view, version, edition, slice, key, position, fault) values ($view, $version, $edition, $slice, $key, $position, $fault)
