-- All checkpoints, by view, version, edition and slice.
-- columns: view, version, slice, slices, position, moved_at (microseconds since 1970-01-01 UTC), role, edition, is_shown
select c.view, c.version, c.slice, c.slices, c.position, c.moved_at, c.role, c.edition, l.view is not null
from checkpoints c
left join live l on l.view = c.view and l.version = c.version
order by c.view, c.version, c.edition, c.slice
