-- All checkpoints, by view, version, edition and slice: view, version, slice, slices, position, moved_at, role, edition, is_shown. No lock.
select c.view, c.version, c.slice, c.slices, c.position, c.moved_at, c.role, c.edition, l.view is not null
from es_views.checkpoints c
left join es_views.live l on l.view = c.view and l.version = c.version
order by c.view, c.version, c.edition, c.slice
