-- The events of a commit, whatever stands in them. parameters: $id; columns: stream_id, name of the stream (null: there is none), version, ordinal, id, type, schema, data, metadata; ordered by ordinal
select e.stream_id, s.name, e.version, e.ordinal, e.id, e.type, e.schema, e.data, e.metadata
from events e left join streams s on s.id = e.stream_id
where e.commit_id = $id
order by e.ordinal
