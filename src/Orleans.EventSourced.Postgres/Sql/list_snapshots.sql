-- A page of snapshots, whatever stands in them.
-- parameters: $1 uuid log id, $2 text stream, $3 int fold version, $4 int version of the row before the first wanted; $5 int the most
-- columns: log_id, stream, fold_version, version, position, event_id, state; ordered by the first four
-- locks: none
select s.log_id, s.stream, s.fold_version, s.version, s.position, s.event_id, s.state
from es.snapshots s
where (s.log_id, s.stream, s.fold_version, s.version) > ($1, $2, $3, $4)
order by s.log_id, s.stream, s.fold_version, s.version
limit $5
