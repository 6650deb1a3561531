-- A page of commits, whatever stands in them.
-- parameters: $1 bigint the position before the first wanted, $2 int the most
-- columns: position, id, count, recorded_at, link, marks; ordered by position
-- locks: none
select c.position, c.id, c.count, c.recorded_at, c.link, c.marks
from es.commits c
where c.position > $1
order by c.position
limit $2
