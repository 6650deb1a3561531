-- Keeps that a reaction passes over an event; no row affected: it does already. $1 name, $2 position, $3 reason, $4 actor or null, $5 time. Locks the new row only.
insert into es.reactions_skipped (name, position, reason, actor, skipped_at) values ($1, $2, $3, $4, $5)
on conflict (name, position) do nothing
