-- Who only reads: people, reports, checks. The role may select from the log and the views by their plain names, and nothing else. Where the login that migrates may not make roles it is left out;
-- docs/operations.md says how to make it by hand.

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'es_reader') then
    create role es_reader nologin;
  end if;
exception when duplicate_object or unique_violation or insufficient_privilege then
  null; -- roles belong to the whole server: another database's migration was first, or a person has to do it
end $$;

do $$
declare
  shown name;
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'es_reader') then
    return;
  end if;

  set local role es_owner;
  grant usage on schema es, es_views to es_reader;
  grant select on es.log, es.streams, es.events, es.commits, es.reactions, es.reactions_skipped to es_reader;
  grant select on es_views.checkpoints, es_views.live, es_views.editions, es_views.skipped, es_views.parked to es_reader;
  reset role;

  -- Those that are there belong to es_writer; one that cannot be granted here is granted when it shows another version.
  for shown in select c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = 'es_views' and c.relkind = 'v' loop
    begin
      execute pg_catalog.format('grant select on es_views.%I to es_reader', shown);
    exception when insufficient_privilege then
      null;
    end;
  end loop;
end $$;
