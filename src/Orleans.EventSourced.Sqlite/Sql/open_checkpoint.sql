-- The checkpoint of a slice, or where it is missing that of another one: its position, into how many slices the table is divided, whether it is of this log,
-- how often parked rows were taken up, and its mark: position, id and time of the last event seen, or null.
-- parameters: $view, $version, $role, $slice, $log_id; columns: position, slices, is_this_log, retries, mark_position, mark_event, mark_at; one row at most
select position, slices, log_id = $log_id, retries, mark_position, mark_event, mark_at from checkpoints where view = $view and version = $version and role = $role order by slice = $slice desc limit 1
