-- Moves the checkpoint of a reaction, if it is where its mover left it. $1 name, $2 expected position, $3 next, $4 to $6 the mark: position, id and time of the event there, or null. Locks the reaction's row.
update es.reactions set position = $3, moved_at = clock_timestamp(), mark_position = $4, mark_event = $5, mark_at = $6 where name = $1 and position = $2
