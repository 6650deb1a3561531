-- Makes the checkpoints of all slices of a table at 0, where they are missing: what a reader is told of a table must count those too that nobody has opened yet.
-- $1 view, $2 version, $3 role, $4 edition, $5 slices. Nothing is made of a table that is divided otherwise. Locks the new rows until the commit.
insert into es_views.checkpoints (view, version, role, edition, slice, slices, log_id, position)
select $1, $2, $3, $4, s, $5, l.log_id, 0 from es.log l, generate_series(0, $5 - 1) s
where not exists (select from es_views.checkpoints c where c.view = $1 and c.version = $2 and c.role = $3 and c.slices <> $5)
on conflict (view, version, role, slice) do nothing
