-- The events that wait for parked rows of a slice, by key and position.
-- parameters: $view, $version, $role, $slice; columns: key, position, fault
select p.key, p.position, p.fault
from parked p
join checkpoints c on c.view = p.view and c.version = p.version and c.edition = p.edition and c.slice = p.slice
where c.view = $view and c.version = $version and c.role = $role and c.slice = $slice
order by p.key, p.position
