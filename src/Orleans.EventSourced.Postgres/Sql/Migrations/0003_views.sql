-- Views: derived tables, which may be dropped and folded again from the log at any time. Their tables are made by the application's role, for
-- each version of a view one, with its tombstones (deleted rows) and, where it needs them, routes (what is kept of each stream).

create schema es_views authorization es_owner;
set local role es_owner;

-- One row a slice of a table: everything up to position is in the rows. It moves only together with them, and only from where its mover left it.
create table es_views.checkpoints (
  view text collate "C" not null,
  version int not null,
  slice int not null check (slice >= 0 and slice < slices),
  slices int not null,
  log_id uuid not null,
  position bigint not null check (position >= 0),
  moved_at timestamptz not null default clock_timestamp(),
  primary key (view, version, slice)
);

-- Of each view the version that the SQL view of its plain name shows; changed together with that one.
create table es_views.live (
  view text collate "C" primary key,
  version int not null
);

grant usage, create on schema es_views to es_writer;
grant select, insert, update, delete on es_views.checkpoints, es_views.live to es_writer;

reset role;
