-- Moves the checkpoint of a slice, if it is where its mover left it. $1 view, $2 version, $3 slice, $4 slices, $5 expected position, $6 next.
-- Locks the slice's row until the commit.
update es_views.checkpoints set position = $6, moved_at = clock_timestamp()
where view = $1 and version = $2 and slice = $3 and slices = $4 and position = $5
