-- Checkpoints do not go back: a law of the database. A table that is to be folded again is another one, with the next number and checkpoints of its own at 0.
create trigger checkpoints_never_back before update on checkpoints
when new.position < old.position or new.retries < old.retries or new.view <> old.view or new.version <> old.version or new.edition <> old.edition or new.slice <> old.slice or new.slices <> old.slices or new.log_id <> old.log_id
begin select raise(abort, 'a checkpoint does not go back'); end;
create trigger checkpoints_begin_at_none before insert on checkpoints when new.position <> 0
begin select raise(abort, 'a table begins at position 0'); end;
