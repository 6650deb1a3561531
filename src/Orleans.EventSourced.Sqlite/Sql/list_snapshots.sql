-- A page of snapshots, whatever stands in them. parameters: $log_id, $stream, $fold_version, $version, $most; columns: log_id, stream, fold_version, version, position, event_id, state; ordered by the first four
select log_id, stream, fold_version, version, position, event_id, state from snapshots
where (log_id, stream, fold_version, version) > ($log_id, $stream, $fold_version, $version)
order by log_id, stream, fold_version, version
limit $most
