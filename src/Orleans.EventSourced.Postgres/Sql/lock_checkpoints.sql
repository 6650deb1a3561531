-- The slices of a version's live table and of the one that is built: slice, role, edition, position. $1 view, $2 version. Locks the rows until the commit, after the
-- runners that move them.
select slice, role, edition, position from es_views.checkpoints where view = $1 and version = $2 and role in ('live', 'building') order by slice, role for update
