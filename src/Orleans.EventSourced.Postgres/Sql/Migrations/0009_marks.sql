-- The last event that a follower has seen is kept with its checkpoint: by it, it knows the log again after that went back and grew again. It counts while it stands at the checkpoint's position;
-- a program that does not know of marks moves the position alone.

set local role es_owner;

alter table es_views.checkpoints add column mark_position bigint, add column mark_event uuid, add column mark_at timestamptz;
alter table es.reactions add column mark_position bigint, add column mark_event uuid, add column mark_at timestamptz;

reset role;
