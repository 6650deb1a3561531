-- Events that a version of a view passes over, because an operator said so. They outlive its tables: a table folded anew passes over them too.

set local role es_owner;

create table es_views.skipped (
  view text collate "C" not null,
  version int not null,
  position bigint not null check (position > 0),
  reason text not null check (reason <> ''),
  actor text,
  skipped_at timestamptz not null,
  primary key (view, version, position)
);

-- What was said stays said.
grant select, insert on es_views.skipped to es_writer;

reset role;
