-- All tables that were made of a version, by number.
-- parameters: $view, $version; columns: edition, role or null, begun_at (microseconds since 1970-01-01 UTC), reason, actor
select e.edition,
       (select c.role from checkpoints c where c.view = e.view and c.version = e.version and c.edition = e.edition limit 1),
       e.begun_at, e.reason, e.actor
from editions e
where e.view = $view and e.version = $version
order by e.edition
