-- Events that are not folded into their row yet, because the row stands still at one that its fold refuses, while the slice goes on.
-- fault: why the fold refuses the event; null: it waits behind one that is refused.
create table parked (
  view text not null,
  version integer not null,
  edition integer not null,
  slice integer not null,
  key text not null,
  position integer not null check (position > 0),
  fault text,
  primary key (view, version, edition, slice, key, position)
) strict, without rowid;

-- With the last checkpoint of a table goes what waits for its rows.
create trigger parked_goes after delete on checkpoints begin
  delete from parked where view = old.view and version = old.version and edition = old.edition and slice = old.slice;
end;
