-- parameters: as named
insert into snapshots (stream, fold_version, version, position, state) values ($stream, $fold_version, $version, $position, $state) on conflict do nothing
