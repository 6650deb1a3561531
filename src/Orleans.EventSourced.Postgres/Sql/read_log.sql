-- A page of the log: positions have no gaps, so it is an exact range; it ends with the end of a commit.
-- parameters: $1 bigint the position before the first wanted, $2 bigint how many events at least
-- columns: position, stream_id, version, id, type, schema, data, metadata, recorded_at; the reader orders them by position, in which they come
-- locks: none. `offset 0` keeps the planner from turning the lateral into a join over all events. Commit by commit the events come in order; told to order them, the server
-- would sort all of a page, which takes as long as to find them.
select c.position + e.ordinal, e.stream_id, e.version, e.id, e.type, e.schema, e.data, e.metadata, c.recorded_at
from (
  select * from es.commits x
  where x.position >= (select y.position from es.commits y where y.position <= $1 + 1 order by y.position desc limit 1) and x.position <= $1 + $2
  order by x.position
) c
cross join lateral (select * from es.events x where x.commit_id = c.id and x.ordinal > $1 - c.position order by x.ordinal offset 0) e
