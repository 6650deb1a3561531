-- All checkpoints, by view, version and slice: view, version, slice, slices, position, moved_at, is_live. No lock.
select c.view, c.version, c.slice, c.slices, c.position, c.moved_at, l.view is not null
from es_views.checkpoints c
left join es_views.live l on l.view = c.view and l.version = c.version
order by c.view, c.version, c.slice
