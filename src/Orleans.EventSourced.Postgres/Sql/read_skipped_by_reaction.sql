-- The events that a reaction passes over, by position: position, reason, actor, skipped_at. $1 name. No lock.
select s.position, s.reason, s.actor, s.skipped_at from es.reactions_skipped s where s.name = $1 order by s.position
