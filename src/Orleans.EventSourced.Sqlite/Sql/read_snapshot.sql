-- parameters: $stream, $fold_version, $up_to; columns: version, position, state; one row at most
select version, position, state from snapshots where stream = $stream and fold_version = $fold_version and version <= $up_to order by version desc limit 1
