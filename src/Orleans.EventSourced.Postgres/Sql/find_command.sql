-- The first event that a command wrote, to whatever stream. The ids of a command's events share its first 48 bits; others may share them too, as
-- many as a hostile caller likes, so that only the lowest 2,000 are looked at.
-- parameters: $1 uuid the lowest id with those bits, $2 uuid the highest, $3 text the command id
-- columns: position, stream_id, version, id, type, schema, data, metadata, recorded_at; one row at most
-- locks: none
select c.position + e.ordinal, e.stream_id, e.version, e.id, e.type, e.schema, e.data, e.metadata, c.recorded_at
from (select * from es.events x where x.id between $1 and $2 order by x.id limit 2000) e
join es.commits c on c.id = e.commit_id
where e.metadata ->> 'command' = $3
order by 1
limit 1
