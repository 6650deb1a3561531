-- The events of some commits, whatever stands in them.
-- parameters: $1 bigint[] numbers of commits
-- columns: i (place of the commit's number, from 1), stream_id, name of the stream (null: there is none), version, ordinal, id, type, schema, data, metadata; ordered by i, ordinal
-- locks: none. `offset 0` keeps the planner from turning the laterals into joins over all events and streams.
select w.i::int, e.stream_id, s.name, e.version, e.ordinal, e.id, e.type, e.schema, e.data, e.metadata
from unnest($1) with ordinality w(id, i)
cross join lateral (select * from es.events x where x.commit_id = w.id order by x.ordinal offset 0) e
left join lateral (select y.name from es.streams y where y.id = e.stream_id offset 0) s on true
order by w.i, e.ordinal
