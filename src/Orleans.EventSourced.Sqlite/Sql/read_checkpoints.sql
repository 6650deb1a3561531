-- All checkpoints, by view, version and slice.
-- columns: view, version, slice, slices, position, moved_at (microseconds since 1970-01-01 UTC), is_live
select c.view, c.version, c.slice, c.slices, c.position, c.moved_at, l.view is not null
from checkpoints c
left join live l on l.view = c.view and l.version = c.version
order by c.view, c.version, c.slice
