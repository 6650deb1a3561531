-- A page of the events' places.
-- parameters: $1 bigint, $2 int the stream's number and the version before the first wanted, $3 int the most
-- columns: stream_id, version, commit_id, ordinal, position of the commit (null: there is none); ordered by stream_id, version
-- locks: none
select e.stream_id, e.version, e.commit_id, e.ordinal, c.position
from (select * from es.events x where (x.stream_id, x.version) > ($1, $2) order by x.stream_id, x.version limit $3) e
left join lateral (select y.position from es.commits y where y.id = e.commit_id offset 0) c on true
order by e.stream_id, e.version
