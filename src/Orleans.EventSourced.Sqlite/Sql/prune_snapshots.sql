-- Drops the oldest snapshots of a stream by one fold. parameters: $log_id, $stream, $fold_version, $keep
delete from snapshots
where log_id = $log_id and stream = $stream and fold_version = $fold_version and version < (
  select k.version from snapshots k
  where k.log_id = $log_id and k.stream = $stream and k.fold_version = $fold_version order by k.version desc limit 1 offset $keep - 1)
