-- Drops the oldest snapshots of a stream by one fold.
-- parameters: $1 uuid log id, $2 text stream, $3 int fold version, $4 int how many to keep
-- locks: the rows dropped
delete from es.snapshots s
where s.log_id = $1 and s.stream = $2 and s.fold_version = $3 and s.version < (
  select k.version
  from es.snapshots k
  where k.log_id = $1 and k.stream = $2 and k.fold_version = $3
  order by k.version desc
  offset $4 - 1
  limit 1)
