-- The checkpoint of a slice, or where it is missing that of another one: its position, into how many slices the table is divided, whether it is of this log, how often parked
-- rows were taken up, and its mark: position, id and time of the last event seen, or null.
-- $1 view, $2 version, $3 role, $4 slice. No lock. A row of another slice decides on the number of slices.
select c.position, c.slices, c.log_id = (select l.log_id from es.log l), c.retries, c.mark_position, c.mark_event, c.mark_at
from es_views.checkpoints c
where c.view = $1 and c.version = $2 and c.role = $3
order by c.slice = $4 desc
limit 1
