-- All tables that were made of a version, by number: edition, role or null, begun_at, reason, actor. $1 view, $2 version. No lock.
select e.edition,
       (select c.role from es_views.checkpoints c where c.view = e.view and c.version = e.version and c.edition = e.edition limit 1),
       e.begun_at, e.reason, e.actor
from es_views.editions e
where e.view = $1 and e.version = $2
order by e.edition
