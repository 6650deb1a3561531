-- A page of the events' places. parameters: $stream, $version, $most; columns: stream_id, version, commit_id, ordinal, position of the commit (null: there is none); ordered by stream_id, version
select e.stream_id, e.version, e.commit_id, e.ordinal, c.position
from events e left join commits c on c.id = e.commit_id
where (e.stream_id, e.version) > ($stream, $version)
order by e.stream_id, e.version
limit $most
