-- Keeps that a version of a view passes over an event; no row affected: it does already. $1 view, $2 version, $3 position, $4 reason, $5 actor or null, $6 time.
-- Locks the new row only.
insert into es_views.skipped (view, version, position, reason, actor, skipped_at) values ($1, $2, $3, $4, $5, $6)
on conflict (view, version, position) do nothing
