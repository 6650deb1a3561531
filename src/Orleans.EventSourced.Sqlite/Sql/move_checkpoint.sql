-- Moves the checkpoint of a slice, if it is where its mover left it.
-- parameters: $view, $version, $slice, $slices, $expected, $next, $now (microseconds since 1970-01-01 UTC)
update checkpoints set position = $next, moved_at = $now
where view = $view and version = $version and slice = $slice and slices = $slices and position = $expected
