-- parameters: as named
insert into snapshots (log_id, stream, fold_version, version, position, event_id, state)
values ($log_id, $stream, $fold_version, $version, $position, $event_id, $state) on conflict do nothing
