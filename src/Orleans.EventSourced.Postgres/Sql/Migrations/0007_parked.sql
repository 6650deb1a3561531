-- Events that are not folded into their row yet, because the row stands still at one that its fold refuses, while the slice goes on.

set local role es_owner;

-- fault: why the fold refuses the event; null: it waits behind one that is refused.
create table es_views.parked (
  view text collate "C" not null,
  version int not null,
  edition int not null,
  slice int not null,
  key text collate "C" not null,
  position bigint not null check (position > 0),
  fault text,
  primary key (view, version, edition, slice, key, position)
);

grant select, insert, delete on es_views.parked to es_writer;

reset role;
