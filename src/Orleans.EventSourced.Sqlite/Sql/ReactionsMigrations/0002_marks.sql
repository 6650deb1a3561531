-- The last event that a reaction has seen is kept with its checkpoint: by it, it knows the log again after that went back and grew again. It counts while it stands at the checkpoint's position.
alter table reactions add column mark_position integer;
alter table reactions add column mark_event blob check (length(mark_event) = 16);
alter table reactions add column mark_at integer;
