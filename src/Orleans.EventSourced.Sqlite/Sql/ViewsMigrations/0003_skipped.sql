-- Events that a version of a view passes over, because an operator said so. They outlive its tables: a table folded anew passes over them too.
create table skipped (
  view text not null,
  version integer not null,
  position integer not null check (position > 0),
  reason text not null check (reason <> ''),
  actor text,
  skipped_at integer not null,
  primary key (view, version, position)
) strict, without rowid;
