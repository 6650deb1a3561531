-- Moves the checkpoint of a slice, if it is where its mover left it, no parked row was taken up since, in the table that the mover knows, and that table still has its role.
-- $1 view, $2 version, $3 role, $4 edition, $5 slice, $6 slices, $7 expected position, $8 next, $9 expected retries, $10 next, $11 to $13 the mark, or null: it stays.
-- Locks the slice's row until the commit.
update es_views.checkpoints set position = $8, retries = $10, moved_at = clock_timestamp(),
  mark_position = coalesce($11, mark_position), mark_event = coalesce($12, mark_event), mark_at = coalesce($13, mark_at)
where view = $1 and version = $2 and role = $3 and edition = $4 and slice = $5 and slices = $6 and position = $7 and retries = $9
