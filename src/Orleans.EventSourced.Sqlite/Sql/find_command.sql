-- The first event of a command; the ids of its events share their first 48 bits. parameters: $lowest, $highest, $command; columns as read_stream
select c.position + e.ordinal, s.name, e.version, e.id, e.type, e.schema, e.data, e.metadata, c.recorded_at
from events e
cross join commits c on c.id = e.commit_id
cross join streams s on s.id = e.stream_id
where e.id between $lowest and $highest and e.metadata ->> 'command' = $command
order by 1
limit 1
