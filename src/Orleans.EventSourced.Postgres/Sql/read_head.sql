-- The identity of the log and its last commit.
-- columns: log_id, position of the last event (0: none), recorded_at, link
-- locks: none
select l.log_id, coalesce(c.position + c.count - 1, 0), c.recorded_at, c.link
from es.log l
left join lateral (select * from es.commits x order by x.position desc limit 1) c on true
