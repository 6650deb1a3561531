-- The events that a reaction passes over, by position. Parameter: $name.
-- columns: position, reason, actor, skipped_at (microseconds since 1970-01-01 UTC)
select position, reason, actor, skipped_at from reactions_skipped where name = $name order by position
