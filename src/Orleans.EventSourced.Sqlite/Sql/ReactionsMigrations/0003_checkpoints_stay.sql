-- The checkpoint of a reaction does not go back: a law of the database.
create trigger reactions_never_back before update on reactions when new.position < old.position or new.name <> old.name or new.log_id <> old.log_id or new.began <> old.began
begin select raise(abort, 'the checkpoint of a reaction does not go back'); end;
