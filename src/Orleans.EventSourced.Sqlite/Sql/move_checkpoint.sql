-- Moves the checkpoint of a slice, if it is where its mover left it, no parked row was taken up since, in the table that the mover knows, and that table still has its role.
-- parameters: $view, $version, $role, $edition, $slice, $slices, $expected, $next, $retries, $next_retries, $now (microseconds since 1970-01-01 UTC),
-- $mark_position, $mark_event, $mark_at, or null: the mark stays
update checkpoints set position = $next, retries = $next_retries, moved_at = $now,
  mark_position = coalesce($mark_position, mark_position), mark_event = coalesce($mark_event, mark_event), mark_at = coalesce($mark_at, mark_at)
where view = $view and version = $version and role = $role and edition = $edition and slice = $slice and slices = $slices and position = $expected and retries = $retries
