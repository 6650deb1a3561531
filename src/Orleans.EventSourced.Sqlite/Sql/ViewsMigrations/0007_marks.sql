-- The last event that a slice has seen is kept with its checkpoint: by it, it knows the log again after that went back and grew again. It counts while it stands at the checkpoint's position.
alter table checkpoints add column mark_position integer;
alter table checkpoints add column mark_event blob check (length(mark_event) = 16);
alter table checkpoints add column mark_at integer;
