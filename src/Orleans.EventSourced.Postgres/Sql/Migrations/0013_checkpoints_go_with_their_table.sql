-- A checkpoint is gone only with its table: who deleted one and made it anew at 0 would have events folded twice into the rows that are there.
-- Looked at when the transaction commits, for whoever drops a table first takes the rows of its checkpoints, which its runners hold.

set local role es_owner;

create function es.refuse_without_drop() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if pg_catalog.to_regclass(pg_catalog.format('es_views.%I', old.view || '_v' || old.version || case when old.edition = 1 then '' else '_e' || old.edition end)) is not null then
    raise exception using errcode = 'ES004', message = pg_catalog.format('%I.%I: a checkpoint of view %s, version %s, edition %s is deleted only with its table', tg_table_schema, tg_table_name, old.view, old.version, old.edition);
  end if;
  return null;
end $$;

create constraint trigger gone_with_table after delete on es_views.checkpoints deferrable initially deferred for each row execute function es.refuse_without_drop();

revoke all on function es.refuse_without_drop from public;

reset role;
