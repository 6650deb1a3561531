-- What gives away a change that the chain of links does not: seals of the rows that no link covers, and beside each link a mark of each of its events.
-- An older silo appends on: the function is the database's, and what a silo knows nothing of fills itself.

set local role es_owner;

-- A seal is SHA-256 over the columns of a row that no link covers: number or id, the time in microseconds since 2000-01-01 UTC as the server keeps it, and the name.
create function es.seal_of_log(log_id uuid, created_at timestamptz) returns bytea language sql immutable strict parallel safe
return sha256(uuid_send(log_id) || timestamptz_send(created_at));

create function es.seal_of_stream(id bigint, name text, created_at timestamptz) returns bytea language sql stable strict parallel safe
return sha256(int8send(id) || timestamptz_send(created_at) || convert_to(name, 'UTF8'));

-- Whoever is appending with the function as it was while this runs waits at the streams, and makes rows without a seal then.
create function es.seal_stream() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.seal := es.seal_of_stream(new.id, new.name, new.created_at);
  return new;
end $$;

alter table es.log add column seal bytea;
alter table es.log disable trigger append_only;
update es.log set seal = es.seal_of_log(log_id, created_at);
alter table es.log enable trigger append_only;
alter table es.log alter column seal set not null;

alter table es.streams add column seal bytea;
update es.streams set seal = es.seal_of_stream(id, name, created_at);
alter table es.streams alter column seal set not null;
create trigger seal before insert on es.streams for each row when (new.seal is null) execute function es.seal_stream();
create trigger seals_stay before update of seal on es.streams for each row execute function es.refuse_change();

-- The first 4 bytes of each event's digest, by ordinal: where a link is wrong they tell which event it is. Null in commits from before. They do not compress.
alter table es.commits add column marks bytea;
alter table es.commits alter column marks set storage external;

-- Writes a batch of requests in the caller's transaction. Outcomes: 0 appended, 1 conflict, 2 duplicate, 3 id reused, 4 deferred.
--   p_*  one element a request: stream name, expected version (-1 any), count of events (1 or more), hash of the command (or null)
--   e_*  one element an event, request by request and in order: id, type, schema, payload, metadata
--   r_*  one element a request: outcome; the last event's version, position and time (for a conflict the stream's version)
-- Arrays that do not fit together raise ES003: which event is whose follows from the counts alone.
-- Locks, in this order: the streams' rows by id, new stream rows by name, rows of events, then the one advisory lock that orders commits.
-- Plans are generic and index-only by setting, because planning a batch anew costs more than running it (0.7 ms a call), and because
-- statistics of a young table send the planner to sequential scans. Starting a statement costs as much as running it for one event, so
-- what the usual batch does not need stands behind an if.
-- Whether the commit waits for the disk is no setting of the function: it ends, and its settings with it, before the commit begins. The silo's
-- connections ask for synchronous_commit = on as they start, and its check at start reads what is in force.
-- A racing twin shows as 23505 on events_pkey or events_id_key: roll back and send again.
create or replace function es.append_batch(
  p_stream text[], p_expected int[], p_count int[], p_hash text[],
  e_id uuid[], e_type text[], e_schema smallint[], e_data bytea[], e_metadata bytea[],
  out r_outcome int[], out r_version int[], out r_position bigint[], out r_at timestamptz[])
language plpgsql security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  -- A lone event, as a single caller sends it, takes the same steps without the machinery for sets, in an eighth less time.
  v_lone constant boolean := cardinality(e_id) = 1;
  v_names text[];
  v_ids bigint[];
  v_stream bigint[];
  v_known boolean;
  v_before int[];
  v_request int[] := '{}';
  v_events int := 0;
  v_first int[];
  v_count int := 0;
  v_commit bigint;
  v_digests bytea;
  v_marks bytea;
  v_position bigint;
  v_at timestamptz;
begin
  if (array_dims(p_stream) = all (array[array_dims(p_expected), array_dims(p_count), array_dims(p_hash), '[1:' || cardinality(p_stream) || ']'])
      and array_dims(e_id) = all (array[array_dims(e_type), array_dims(e_schema), array_dims(e_data), array_dims(e_metadata), '[1:' || cardinality(e_id) || ']'])) is not true then
    raise exception using errcode = 'ES003', message = 'es.append takes arrays of one length for requests, and of one length for events';
  end if;

  for i in 1 .. cardinality(p_count) loop
    if (p_count[i] > 0) is not true then
      raise exception using errcode = 'ES003', message = format('es.append takes requests of 1 or more events; request %s has %s', i, coalesce(p_count[i]::text, 'null'));
    end if;
    v_before[i] := v_events;
    v_request := v_request || array_fill(i, array[p_count[i]]);
    v_events := v_events + p_count[i];
  end loop;
  if v_events <> cardinality(e_id) then
    raise exception using errcode = 'ES003', message = format('es.append got %s events for requests of %s together', cardinality(e_id), v_events);
  end if;

  -- Hot streams wait here for their turn instead of losing a race later.
  if v_lone then
    select array[s.id], p_stream into v_ids, v_names from es.streams s where s.name = p_stream[1] for no key update;
    v_names := coalesce(v_names, '{}');
  else
    select coalesce(array_agg(l.name), '{}'), array_agg(l.id) into v_names, v_ids
    from (select s.name, s.id from es.streams s where s.name = any (p_stream) order by s.id for no key update) l;
  end if;

  if cardinality(v_names) < cardinality(p_stream) then
    insert into es.streams (id, name, type, created_at, seal) overriding system value
    select n.id, n.name, split_part(n.name, '/', 1), n.at, es.seal_of_stream(n.id, n.name, n.at)
    from (
      select nextval('es.streams_id_seq') as id, o.name, clock_timestamp() as at
      from (
        select r.name
        from unnest(p_stream, p_expected) r(name, expected)
        left join unnest(v_names) s(name) on s.name = r.name
        where r.expected <= 0 and s.name is null
        group by r.name
        order by r.name collate "C"
      ) o
      offset 0
    ) n
    on conflict (name) do nothing;

    select coalesce(array_agg(s.name), '{}'), array_agg(s.id) into v_names, v_ids from es.streams s where s.name = any (p_stream);
  end if;

  -- Ids are looked for at the moment at which the versions are seen, or later, never before: or a twin's success would look like a conflict.
  if v_lone then
    select v_ids, array[coalesce(h.version, 0)], array[case when p_expected[1] >= 0 and p_expected[1] <> coalesce(h.version, 0) then 1 else 0 end],
           array[null::bigint], array[null::timestamptz], exists (select from es.events x where x.id = e_id[1])
    into v_stream, r_version, r_outcome, r_position, r_at, v_known
    from (select (select e.version from es.events e where e.stream_id = v_ids[1] order by e.version desc limit 1) as version) h;
  else
    select array_agg(q.stream_id), array_agg(q.version), array_agg(q.outcome), array_agg(null::bigint), array_agg(null::timestamptz),
           exists (select from es.events x where x.id = any (e_id))
    into v_stream, r_version, r_outcome, r_position, r_at, v_known
    from (
      select s.id as stream_id, coalesce(h.version, 0) as version,
             case when r.expected >= 0 and r.expected <> coalesce(h.version, 0) then 1 else 0 end as outcome
      from unnest(p_stream, p_expected) with ordinality r(name, expected, i)
      left join unnest(v_names, v_ids) s(name, id) on s.name = r.name
      left join lateral (select e.version from es.events e where e.stream_id = s.id order by e.version desc limit 1) h on true
      order by r.i
    ) q;
  end if;

  if v_known or cardinality(v_names) < cardinality(p_stream) then
    select array_agg(q.outcome),
           array_agg(case q.outcome when 2 then q.known_version else q.version end),
           array_agg(case q.outcome when 2 then q.known_position end),
           array_agg(case q.outcome when 2 then q.known_at end)
    into r_outcome, r_version, r_position, r_at
    from (
      select r.version, k.version as known_version, k.position as known_position, k.at as known_at,
             case
               when row_number() over (partition by r.name order by r.i) > 1 then 4
               when k.found = 0 then r.outcome
               when k.found = r.count and k.here and k.in_order and k.hash is not distinct from r.hash and not exists (
                 -- A commit holds one request of a stream: a neighbour of the same commit means that the first request had more events.
                 select from es.events x where x.stream_id = r.stream_id and x.version in (k.version + 1, k.version - r.count) and x.commit_id = k.commit_id
               ) then 2
               else 3
             end as outcome
      from unnest(p_stream, v_stream, p_count, p_hash, v_before, r_version, r_outcome) with ordinality r(name, stream_id, count, hash, before, version, outcome, i)
      cross join lateral (
        select count(*) as found,
               coalesce(bool_and(e.stream_id = r.stream_id), false) as here,
               max(e.version - w.n) = min(e.version - w.n) and max(e.commit_id) = min(e.commit_id) as in_order,
               max(e.commit_id) as commit_id,
               max(e.version) as version,
               max(c.position + e.ordinal) as position,
               max(c.recorded_at) as at,
               min(e.metadata ->> 'request') as hash
        from unnest(e_id[r.before + 1 : r.before + r.count]) with ordinality w(id, n)
        cross join lateral (select * from es.events x where x.id = w.id limit 1) e
        cross join lateral (select * from es.commits x where x.id = e.commit_id limit 1) c
      ) k
      order by r.i
    ) q;
  end if;

  for i in 1 .. cardinality(p_count) loop
    v_first[i] := v_count;
    if r_outcome[i] = 0 then
      v_count := v_count + p_count[i];
    end if;
  end loop;
  if v_count = 0 then
    return;
  end if;

  v_commit := nextval('es.commit_ids');
  if v_lone then
    insert into es.events (stream_id, version, commit_id, ordinal, id, type, schema, data, metadata)
    values (v_stream[1], r_version[1] + 1, v_commit, 0, e_id[1], e_type[1], e_schema[1], convert_from(e_data[1], 'UTF8')::json, convert_from(e_metadata[1], 'UTF8')::json);
    v_digests := es.digest(p_stream[1], r_version[1] + 1, e_id[1], e_type[1], e_schema[1], e_data[1], e_metadata[1]);
    v_marks := substr(v_digests, 1, 4);
  else
    with wanted as materialized (
      select r.stream_id, r.version + (e.k - r.before)::int as version, r.first + (e.k - r.before)::int - 1 as ordinal, r.name, e.id, e.type, e.schema, e.data, e.metadata
      from unnest(v_request, e_id, e_type, e_schema, e_data, e_metadata) with ordinality e(request, id, type, schema, data, metadata, k)
      join unnest(p_stream, v_before, v_stream, r_version, r_outcome, v_first) with ordinality r(name, before, stream_id, version, outcome, first, i) on r.i = e.request
      where r.outcome = 0
    ), written as (
      insert into es.events (stream_id, version, commit_id, ordinal, id, type, schema, data, metadata)
      select w.stream_id, w.version, v_commit, w.ordinal, w.id, w.type, w.schema, convert_from(w.data, 'UTF8')::json, convert_from(w.metadata, 'UTF8')::json
      from wanted w
      order by w.stream_id, w.version
    )
    select string_agg(d.digest, ''::bytea), string_agg(substr(d.digest, 1, 4), ''::bytea)
    into v_digests, v_marks
    from (
      select es.digest(w.name, w.version, w.id, w.type, w.schema, w.data, w.metadata) as digest
      from wanted w
      order by w.ordinal
      offset 0
    ) d;
  end if;

  -- Whoever holds this lock is next in the order of the log. A statement of its own, so that the next one sees the commit before.
  perform pg_advisory_xact_lock(7306093021735223393);
  insert into es.commits (position, id, count, recorded_at, link, marks)
  select n.position, v_commit, v_count, n.at,
         sha256(es.field(n.link) || es.field(int8send(n.position)) || es.field(int4send(v_count))
           || es.field(int8send((extract(epoch from n.at) * 1000000)::bigint)) || es.field(v_digests)),
         v_marks
  from (
    select coalesce(l.position + l.count, 1) as position, greatest(clock_timestamp(), l.recorded_at) as at, coalesce(l.link, ''::bytea) as link
    from (select 1) one
    left join lateral (select * from es.commits c order by c.position desc limit 1) l on true
  ) n
  returning position, recorded_at into v_position, v_at;

  for i in 1 .. cardinality(p_count) loop
    if r_outcome[i] = 0 then
      r_version[i] := r_version[i] + p_count[i];
      r_position[i] := v_position + v_first[i] + p_count[i] - 1;
      r_at[i] := v_at;
    end if;
  end loop;
end $$;

revoke all on function es.seal_of_log, es.seal_of_stream, es.seal_stream from public;

reset role;
