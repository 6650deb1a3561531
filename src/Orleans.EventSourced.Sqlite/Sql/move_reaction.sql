-- Moves the checkpoint of a reaction, if it is where its mover left it.
-- parameters: $name, $expected, $next, $now (microseconds since 1970-01-01 UTC), $mark_position, $mark_event, $mark_at (or null)
update reactions set position = $next, moved_at = $now, mark_position = $mark_position, mark_event = $mark_event, mark_at = $mark_at where name = $name and position = $expected
