-- Several streams in one round trip.
-- parameters: $1 text[] names, $2 int[] the version before the first wanted, $3 int[] the most events of each,
--             $4 int[] the bytes of payload and metadata with which each ends: the event that reaches them is the last
-- columns: i (number of the read, from 1), version, position, id, type, schema, data, metadata, recorded_at; ordered by i, version
-- locks: none
-- The size of a payload that is kept compressed is known only when it is expanded. So the rows are summed one by one, and behind tells of the first that comes too late: a count
-- that never falls is a run condition of its window, at which the server stops reading. A filter on before alone would expand every row up to the most.
select r.i::int, e.version, c.position + e.ordinal, e.id, e.type, e.schema, e.data, e.metadata, c.recorded_at
from unnest($1, $2, $3, $4) with ordinality r(name, after, most, bytes, i)
cross join lateral (select s.id from es.streams s where s.name = r.name limit 1) s
cross join lateral (
  select p.*
  from (
    select b.*, count(*) filter (where b.before >= r.bytes) over (order by b.version rows unbounded preceding) as behind
    from (
      select w.*, sum(octet_length(w.data::text) + octet_length(w.metadata::text)) over (order by w.version rows between unbounded preceding and 1 preceding) as before
      from (select * from es.events x where x.stream_id = s.id and x.version > r.after order by x.version limit r.most) w
    ) b
  ) p
  where p.behind < 1
) e
cross join lateral (select x.position, x.recorded_at from es.commits x where x.id = e.commit_id limit 1) c
order by r.i, e.version
