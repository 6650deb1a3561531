-- Snapshots, in a file of their own: they are derived and must not keep the log's one writer busy.
create table snapshots (
  stream text not null,
  fold_version integer not null,
  version integer not null,
  position integer not null,
  state blob not null,
  primary key (stream, fold_version, version)
) strict, without rowid;
