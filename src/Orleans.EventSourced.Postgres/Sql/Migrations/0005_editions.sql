-- A version of a view may have more than one table: one that is read, one that is folded anew to take its place, and the one that was read before.

set local role es_owner;

alter table es_views.checkpoints
  add column role text collate "C" not null default 'live' check (role in ('live', 'building', 'retired')),
  add column edition int not null default 1 check (edition between 1 and 9999),
  drop constraint checkpoints_pkey,
  add primary key (view, version, role, slice);
alter table es_views.checkpoints alter column role drop default, alter column edition drop default;

-- Every table that was made. It outlives them: a number that was used is not used again, or a runner that slept might take a table for its own.
create table es_views.editions (
  view text collate "C" not null,
  version int not null,
  edition int not null check (edition between 1 and 9999),
  begun_at timestamptz not null default clock_timestamp(),
  reason text not null check (reason <> ''),
  actor text,
  primary key (view, version, edition)
);

insert into es_views.editions (view, version, edition, begun_at, reason)
select view, version, 1, min(moved_at), 'there was none' from es_views.checkpoints group by view, version;

grant select, insert on es_views.editions to es_writer;

reset role;
