-- A page of the log that ends with the end of a commit. parameters: $after, $most; columns as read_stream; ordered by position
select c.position + e.ordinal, s.name, e.version, e.id, e.type, e.schema, e.data, e.metadata, c.recorded_at
from commits c
cross join events e on e.commit_id = c.id and e.ordinal > $after - c.position
cross join streams s on s.id = e.stream_id
where c.position >= (select max(y.position) from commits y where y.position <= $after + 1) and c.position <= $after + $most
order by c.position, e.ordinal
