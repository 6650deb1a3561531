-- Makes the checkpoint of a slice at 0, unless it is there or the table is divided into another number of slices.
-- parameters: $view, $version, $role, $edition, $slice, $slices, $log_id, $now (microseconds since 1970-01-01 UTC)
insert into checkpoints (view, version, role, edition, slice, slices, log_id, position, moved_at)
select $view, $version, $role, $edition, $slice, $slices, $log_id, 0, $now
where not exists (select 1 from checkpoints c where c.view = $view and c.version = $version and c.role = $role and c.slices <> $slices)
on conflict do nothing
