-- The events that wait for parked rows of a slice, by key and position: key, position, fault. $1 view, $2 version, $3 role, $4 slice. No lock.
select p.key, p.position, p.fault
from es_views.parked p
join es_views.checkpoints c on c.view = p.view and c.version = p.version and c.edition = p.edition and c.slice = p.slice
where c.view = $1 and c.version = $2 and c.role = $3 and c.slice = $4
order by p.key, p.position
