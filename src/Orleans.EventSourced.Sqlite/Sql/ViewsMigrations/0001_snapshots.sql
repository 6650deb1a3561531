-- Snapshots, in the file of views: they are derived and must not keep the log's one writer busy.
create table snapshots (
  log_id blob not null check (length(log_id) = 16),
  stream text not null,
  fold_version integer not null,
  version integer not null check (version > 0),
  position integer not null,
  event_id blob not null check (length(event_id) = 16),
  state blob not null,
  primary key (log_id, stream, fold_version, version)
) strict, without rowid;
