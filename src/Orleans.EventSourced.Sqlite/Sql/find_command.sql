-- The first event of a command; the ids of its events share their first 48 bits, of which the lowest 2,000 are looked at. parameters: $lowest, $highest, $command; columns as read_stream
select c.position + e.ordinal, s.name, e.version, e.id, e.type, e.schema, e.data, e.metadata, c.recorded_at
from (select * from events x where x.id between $lowest and $highest order by x.id limit 2000) e
cross join commits c on c.id = e.commit_id
cross join streams s on s.id = e.stream_id
where e.metadata ->> 'command' = $command
order by 1
limit 1
