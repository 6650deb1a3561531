-- Whether a view has a version that was opened. $1 view. No lock.
select exists (select from es_views.checkpoints where view = $1)
