-- Which table of a version is in a role, and into how many slices it is divided; no row: none is. $1 view, $2 version, $3 role. No lock.
select edition, slices from es_views.checkpoints where view = $1 and version = $2 and role = $3 order by slice limit 1
