-- One event by its id.
-- parameters: $1 uuid
-- columns: position, stream_id, version, id, type, schema, data, metadata, recorded_at; one row at most
-- locks: none
select c.position + e.ordinal, e.stream_id, e.version, e.id, e.type, e.schema, e.data, e.metadata, c.recorded_at
from es.events e
join es.commits c on c.id = e.commit_id
where e.id = $1
