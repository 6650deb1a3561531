-- Whether a view has another version that was opened. $1 view, $2 version. No lock.
select exists (select from es_views.checkpoints where view = $1 and version <> $2)
