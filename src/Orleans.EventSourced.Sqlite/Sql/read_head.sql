-- columns: log_id, position of the last event (0: none), recorded_at, link
select l.log_id, coalesce(c.position + c.count - 1, 0), c.recorded_at, c.link
from log l left join (select * from commits order by position desc limit 1) c
