-- Where an event id stands. An event of the batch under way has no commit yet. parameters: $id
-- columns: stream_id, version, position, recorded_at, metadata, whether neighbours of the same commit stand before and behind; one row at most
select e.stream_id, e.version, c.position + e.ordinal, c.recorded_at, e.metadata,
       exists (select 1 from events x where x.stream_id = e.stream_id and x.version = e.version - 1 and x.commit_id = e.commit_id),
       exists (select 1 from events x where x.stream_id = e.stream_id and x.version = e.version + 1 and x.commit_id = e.commit_id)
from events e left join commits c on c.id = e.commit_id
where e.id = $id
