-- parameters: $name, $after, $most; columns: position, stream, version, id, type, schema, data, metadata, recorded_at; ordered by version
select c.position + e.ordinal, s.name, e.version, e.id, e.type, e.schema, e.data, e.metadata, c.recorded_at
from streams s
cross join events e on e.stream_id = s.id and e.version > $after
cross join commits c on c.id = e.commit_id
where s.name = $name
order by e.version
limit $most
