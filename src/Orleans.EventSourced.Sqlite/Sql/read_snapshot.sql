-- parameters: $log_id, $stream, $fold_version, $up_to; columns: version, position, event_id, state; one row at most
select version, position, event_id, state from snapshots
where log_id = $log_id and stream = $stream and fold_version = $fold_version and version <= $up_to order by version desc limit 1
