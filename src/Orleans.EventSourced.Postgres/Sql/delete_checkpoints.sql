-- Forgets the checkpoints of a version; no row affected: there is none. $1 view, $2 version. Waits for the runners that move them.
delete from es_views.checkpoints where view = $1 and version = $2
