-- The checkpoint of a reaction, made where it is missing: its position, whether it is of this log, and its mark: position, id and time of the last event seen, or null.
-- parameters: $name, $start, $log_id, $now (microseconds since 1970-01-01 UTC)
insert into reactions (name, log_id, began, position, moved_at) values ($name, $log_id, $start, $start, $now)
on conflict (name) do update set moved_at = moved_at
returning position, log_id = $log_id, mark_position, mark_event, mark_at
