-- The events that a version of a view passes over, by position: position, reason, actor, skipped_at. $1 view, $2 version. No lock.
select s.position, s.reason, s.actor, s.skipped_at from es_views.skipped s where s.view = $1 and s.version = $2 order by s.position
