-- A version of a view may have more than one table: one that is read, one that is folded anew to take its place, and the one that was read before.
create table next_checkpoints (
  view text not null,
  version integer not null,
  role text not null check (role in ('live', 'building', 'retired')),
  edition integer not null check (edition between 1 and 9999),
  slice integer not null check (slice >= 0 and slice < slices),
  slices integer not null,
  log_id blob not null,
  position integer not null check (position >= 0),
  moved_at integer not null,
  primary key (view, version, role, slice)
) strict, without rowid;

insert into next_checkpoints (view, version, role, edition, slice, slices, log_id, position, moved_at)
select view, version, 'live', 1, slice, slices, log_id, position, moved_at from checkpoints;

-- Every table that was made. It outlives them: a number that was used is not used again, or a runner that slept might take a table for its own.
create table editions (
  view text not null,
  version integer not null,
  edition integer not null check (edition between 1 and 9999),
  begun_at integer not null,
  reason text not null check (reason <> ''),
  actor text,
  primary key (view, version, edition)
) strict, without rowid;

insert into editions (view, version, edition, begun_at, reason)
select view, version, 1, min(moved_at), 'there was none' from checkpoints group by view, version;

drop table checkpoints;
alter table next_checkpoints rename to checkpoints;
