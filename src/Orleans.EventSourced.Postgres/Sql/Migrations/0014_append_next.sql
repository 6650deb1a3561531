-- The usual append, without questions: each request names the version behind which its events go, and nothing is there that they could meet. Whatever does not fit is refused as a whole, and
-- goes the long way through es.append, which says of each request what became of it. An older silo goes the long way always.

set local role es_owner;

-- Writes events that come next in their streams, in the caller's transaction.
--   p_requests  how many requests they are of, each of another stream
--   e_*         one element an event, request by request and in order: stream name, version, id, type, schema, payload, metadata
--   r_*         the first event's position and the time of all
-- What an event insists on is looked at where its row is written: the version before it is there, or the one before it in the batch is that; the unique keys refuse its own version and its id if they
-- are taken (23505). Anything else that does not fit raises ES005; arrays that do not fit together raise ES003. With either nothing is written.
-- Locks, plans and order are those of es.append_batch (0010_seals.sql). The look is a scalar subquery, because the planner may answer an exists in a list of columns from a hash of the whole table.
create function es.append_next_batch(
  p_requests int, e_stream text[], e_version int[], e_id uuid[], e_type text[], e_schema smallint[], e_data bytea[], e_metadata bytea[],
  out r_position bigint, out r_at timestamptz)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_count constant int := cardinality(e_id);
  v_names text[];
  v_ids bigint[];
  v_commit bigint;
  v_fitting int;
  v_digests bytea;
  v_marks bytea;
begin
  if (array_dims(e_id) = all (array[array_dims(e_stream), array_dims(e_version), array_dims(e_type), array_dims(e_schema), array_dims(e_data), array_dims(e_metadata), '[1:' || v_count || ']'])) is not true then
    raise exception using errcode = 'ES003', message = 'es.append_next takes arrays of one length';
  end if;

  select coalesce(array_agg(l.name), '{}'), array_agg(l.id) into v_names, v_ids
  from (select s.name, s.id from es.streams s where s.name = any (e_stream) order by s.id for no key update) l;

  if cardinality(v_names) < p_requests then
    insert into es.streams (id, name, type, created_at, seal) overriding system value
    select n.id, n.name, split_part(n.name, '/', 1), n.at, es.seal_of_stream(n.id, n.name, n.at)
    from (
      select nextval('es.streams_id_seq') as id, o.name, clock_timestamp() as at
      from (
        select r.name
        from unnest(e_stream, e_version) r(name, version)
        left join unnest(v_names) s(name) on s.name = r.name
        where r.version = 1 and s.name is null
        group by r.name
        order by r.name collate "C"
      ) o
      offset 0
    ) n
    on conflict (name) do nothing;

    select coalesce(array_agg(s.name), '{}'), array_agg(s.id) into v_names, v_ids from es.streams s where s.name = any (e_stream);
  end if;

  if cardinality(v_names) is distinct from p_requests then
    raise exception using errcode = 'ES005', message = format('%s requests are of %s streams that are there', p_requests, cardinality(v_names));
  end if;

  v_commit := nextval('es.commit_ids');
  with wanted as materialized (
    select s.id as stream_id, r.version, (r.i - 1)::int as ordinal, r.name, r.id, r.type, r.schema, r.data, r.metadata,
           case when r.version = 1 then true
                when (select true from es.events x where x.stream_id = s.id and x.version = r.version - 1) then true
                else e_stream[r.i - 1] = r.name and e_version[r.i - 1] = r.version - 1
           end as fits
    from unnest(e_stream, e_version, e_id, e_type, e_schema, e_data, e_metadata) with ordinality r(name, version, id, type, schema, data, metadata, i)
    join unnest(v_names, v_ids) s(name, id) on s.name = r.name
  ), written as (
    insert into es.events (stream_id, version, commit_id, ordinal, id, type, schema, data, metadata)
    select w.stream_id, w.version, v_commit, w.ordinal, w.id, w.type, w.schema, convert_from(w.data, 'UTF8')::json, convert_from(w.metadata, 'UTF8')::json
    from wanted w
    order by w.stream_id, w.version
  )
  select count(*) filter (where d.fits), string_agg(d.digest, ''::bytea), string_agg(substr(d.digest, 1, 4), ''::bytea)
  into v_fitting, v_digests, v_marks
  from (
    select w.fits, es.digest(w.name, w.version, w.id, w.type, w.schema, w.data, w.metadata) as digest
    from wanted w
    order by w.ordinal
    offset 0
  ) d;
  if v_fitting <> v_count then
    raise exception using errcode = 'ES005', message = format('%s of %s events come next in their streams', v_fitting, v_count);
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
  returning position, recorded_at into r_position, r_at;
end $$;

-- What a silo calls: append_next_batch, then commit, in one round trip; why so, es.append in 0001_log.sql says.
create procedure es.append_next(
  p_requests int, e_stream text[], e_version int[], e_id uuid[], e_type text[], e_schema smallint[], e_data bytea[], e_metadata bytea[],
  inout r_position bigint, inout r_at timestamptz)
language plpgsql
as $$
begin
  select a.r_position, a.r_at into r_position, r_at from es.append_next_batch(p_requests, e_stream, e_version, e_id, e_type, e_schema, e_data, e_metadata) a;
  commit;
end $$;

revoke all on function es.append_next_batch from public;
revoke all on procedure es.append_next from public;
grant execute on function es.append_next_batch to es_writer;
grant execute on procedure es.append_next to es_writer;

reset role;
