-- The checkpoint of a slice, made at 0 where it is missing: its position, into how many slices the table is divided, whether it is of this log, and how often parked rows
-- were taken up, and its mark: position, id and time of the last event seen, or null.
-- $1 view, $2 version, $3 role, $4 edition, $5 slice, $6 slices. Locks the new row only. A row of another slice decides on the number of slices too.
with made as (
  insert into es_views.checkpoints (view, version, role, edition, slice, slices, log_id, position)
  select $1, $2, $3, $4, $5, $6, l.log_id, 0 from es.log l
  where not exists (select from es_views.checkpoints c where c.view = $1 and c.version = $2 and c.role = $3 and c.slices <> $6)
  on conflict (view, version, role, slice) do nothing
  returning position, slices, log_id, retries, mark_position, mark_event, mark_at
)
select c.position, c.slices, c.log_id = (select l.log_id from es.log l), c.retries, c.mark_position, c.mark_event, c.mark_at
from (
  select m.position, m.slices, m.log_id, m.retries, m.mark_position, m.mark_event, m.mark_at, 0 as rank from made m
  union all
  select o.position, o.slices, o.log_id, o.retries, o.mark_position, o.mark_event, o.mark_at, case when o.slice = $5 then 1 else 2 end from es_views.checkpoints o where o.view = $1 and o.version = $2 and o.role = $3
) c
order by c.rank
limit 1
