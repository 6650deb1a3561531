-- Forgets what waits for these rows. $1 view, $2 version, $3 edition, $4 slice, $5 keys. Locks the rows it deletes.
delete from es_views.parked where view = $1 and version = $2 and edition = $3 and slice = $4 and key = any ($5)
