-- Moves the checkpoint of a slice, if it is where its mover left it. $1 table, $2 slice, $3 slices, $4 expected position, $5 next.
-- Locks the slice's row until the commit.
update es_views.checkpoints set position = $5, moved_at = clock_timestamp()
where table_name = $1 and slice = $2 and slices = $3 and position = $4
