-- Makes the checkpoints of a table that is to be filled, at 0. $1 view, $2 version, $3 edition, $4 slices. Locks the new rows until the commit.
insert into es_views.checkpoints (view, version, role, edition, slice, slices, log_id, position)
select $1, $2, 'building', $3, s, $4, l.log_id, 0 from es.log l, generate_series(0, $4 - 1) s
