-- Where an event id stands. parameters: $id; columns: stream_id, version, position, recorded_at, metadata; one row at most
select e.stream_id, e.version, c.position + e.ordinal, c.recorded_at, e.metadata
from events e join commits c on c.id = e.commit_id
where e.id = $id
