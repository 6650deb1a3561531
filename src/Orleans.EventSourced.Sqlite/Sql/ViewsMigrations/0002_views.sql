-- Views: derived tables, which may be dropped and folded again from the log at any time. For each version of a view there is one, with its tombstones
-- (deleted rows) and, where it needs them, routes (what is kept of each stream).

-- One row a slice of a table: everything up to position is in the rows. It moves only together with them, and only from where its mover left it.
create table checkpoints (
  view text not null,
  version integer not null,
  slice integer not null check (slice >= 0 and slice < slices),
  slices integer not null,
  log_id blob not null,
  position integer not null check (position >= 0),
  moved_at integer not null,
  primary key (view, version, slice)
) strict, without rowid;

-- Of each view the version that the SQL view of its plain name shows; changed together with that one.
create table live (
  view text not null primary key,
  version integer not null
) strict, without rowid;
