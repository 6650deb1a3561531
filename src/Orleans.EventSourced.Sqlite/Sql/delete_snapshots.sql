-- parameters: $log_id, $stream, $fold_version
delete from snapshots where log_id = $log_id and stream = $stream and fold_version = $fold_version
