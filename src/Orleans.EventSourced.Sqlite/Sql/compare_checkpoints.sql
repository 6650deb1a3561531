-- The slices of a version's live table and of the one that is built.
-- parameters: $view, $version; columns: slice, role, edition, position
select slice, role, edition, position from checkpoints where view = $view and version = $version and role in ('live', 'building') order by slice, role
