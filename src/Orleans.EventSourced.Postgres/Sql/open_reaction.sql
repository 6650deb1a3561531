-- The checkpoint of a reaction, made where it is missing: its position, whether it is of this log, and its mark: position, id and time of the last event seen, or null. $1 name, $2 where it begins.
-- Locks the reaction's row; so of two that make it one waits and sees the other's.
insert into es.reactions as r (name, log_id, began, position)
select $1, l.log_id, $2, $2 from es.log l
on conflict (name) do update set moved_at = r.moved_at
returning r.position, r.log_id = (select l.log_id from es.log l), r.mark_position, r.mark_event, r.mark_at
