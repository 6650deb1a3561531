-- The newest snapshot of a stream by one fold, up to a version.
-- parameters: $1 text stream, $2 int fold version, $3 int the highest version wanted
-- columns: version, position, state; one row at most
-- locks: none
select s.version, s.position, s.state
from es.snapshots s
where s.stream = $1 and s.fold_version = $2 and s.version <= $3
order by s.version desc
limit 1
