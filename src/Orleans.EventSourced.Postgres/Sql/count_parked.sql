-- How many rows of the table that is built are parked. $1 view, $2 version. No lock: whoever locked the checkpoints sees what was parked before, and nothing is parked meanwhile.
select count(distinct (p.slice, p.key))::int
from es_views.parked p
join es_views.checkpoints c on c.view = p.view and c.version = p.version and c.edition = p.edition and c.slice = p.slice
where c.view = $1 and c.version = $2 and c.role = 'building'
