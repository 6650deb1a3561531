-- A page of streams, whatever stands in them.
-- parameters: $1 bigint the number before the first wanted, $2 int the most
-- columns: id, name, type, created_at, whether touched is written, seal; ordered by id
-- locks: none
select s.id, s.name, s.type, s.created_at, s.touched is not null, s.seal
from es.streams s
where s.id > $1
order by s.id
limit $2
