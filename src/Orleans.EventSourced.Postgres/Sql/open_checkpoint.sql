-- The checkpoint of a slice, made at 0 where it is missing: its position, into how many slices the table is divided, and whether it is of this log.
-- $1 table, $2 slice, $3 slices. Locks the new row only. A row of another slice decides on the number of slices too.
with made as (
  insert into es_views.checkpoints (table_name, slice, slices, log_id, position)
  select $1, $2, $3, l.log_id, 0 from es.log l
  where not exists (select from es_views.checkpoints c where c.table_name = $1 and c.slices <> $3)
  on conflict (table_name, slice) do nothing
  returning position, slices, log_id
)
select c.position, c.slices, c.log_id = (select l.log_id from es.log l)
from (
  select m.position, m.slices, m.log_id, 0 as rank from made m
  union all
  select o.position, o.slices, o.log_id, case when o.slice = $2 then 1 else 2 end from es_views.checkpoints o where o.table_name = $1
) c
order by c.rank
limit 1
