-- The newest snapshot of a stream by one fold, up to a version.
-- parameters: $1 uuid log id, $2 text stream, $3 int fold version, $4 int the highest version wanted
-- columns: version, position, event_id, state; one row at most
-- locks: none
select s.version, s.position, s.event_id, s.state
from es.snapshots s
where s.log_id = $1 and s.stream = $2 and s.fold_version = $3 and s.version <= $4
order by s.version desc
limit 1
