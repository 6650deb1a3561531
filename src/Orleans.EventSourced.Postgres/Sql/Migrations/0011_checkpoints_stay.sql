-- Checkpoints do not go back: a law of the database. A table that is to be folded again is another one, with the next number and checkpoints of its own at 0.

set local role es_owner;

create function es.refuse_return() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = 'ES004', message = pg_catalog.format('%I.%I: a checkpoint does not go back from %s to %s, nor to another table or log', tg_table_schema, tg_table_name, old.position, new.position);
end $$;

create trigger never_back before update on es_views.checkpoints for each row
  when (new.position < old.position or new.retries < old.retries or (new.view, new.version, new.edition, new.slice, new.slices, new.log_id) is distinct from (old.view, old.version, old.edition, old.slice, old.slices, old.log_id))
  execute function es.refuse_return();

-- What is made is empty.
create function es.refuse_late_begin() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = 'ES004', message = 'es_views.checkpoints: a table begins at position 0';
end $$;

create trigger begins_at_none before insert on es_views.checkpoints for each row when (new.position <> 0) execute function es.refuse_late_begin();

create trigger never_back before update on es.reactions for each row
  when (new.position < old.position or (new.name, new.log_id, new.began) is distinct from (old.name, old.log_id, old.began))
  execute function es.refuse_return();

reset role;
