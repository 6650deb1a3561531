-- parameters: $id; columns as read_stream; one row at most
select c.position + e.ordinal, s.name, e.version, e.id, e.type, e.schema, e.data, e.metadata, c.recorded_at
from events e
cross join commits c on c.id = e.commit_id
cross join streams s on s.id = e.stream_id
where e.id = $id
