-- Moves the checkpoint of a reaction, if it is where its mover left it.
-- parameters: $name, $expected, $next, $now (microseconds since 1970-01-01 UTC)
update reactions set position = $next, moved_at = $now where name = $name and position = $expected
