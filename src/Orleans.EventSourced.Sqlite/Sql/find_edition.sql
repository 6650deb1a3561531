-- Which table of a version is in a role, and into how many slices it is divided; no row: none is.
-- parameters: $view, $version, $role; columns: edition, slices
select edition, slices from checkpoints where view = $view and version = $version and role = $role order by slice limit 1
