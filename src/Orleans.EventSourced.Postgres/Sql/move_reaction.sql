-- Moves the checkpoint of a reaction, if it is where its mover left it. $1 name, $2 expected position, $3 next. Locks the reaction's row.
update es.reactions set position = $3, moved_at = clock_timestamp() where name = $1 and position = $2
