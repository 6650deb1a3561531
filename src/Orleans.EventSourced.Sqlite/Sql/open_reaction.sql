-- The checkpoint of a reaction, made where it is missing: its position, and whether it is of this log.
-- parameters: $name, $start, $log_id, $now (microseconds since 1970-01-01 UTC)
insert into reactions (name, log_id, began, position, moved_at) values ($name, $log_id, $start, $start, $now)
on conflict (name) do update set moved_at = moved_at
returning position, log_id = $log_id
