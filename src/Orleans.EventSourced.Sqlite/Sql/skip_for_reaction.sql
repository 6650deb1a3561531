-- Keeps that a reaction passes over an event; no row affected: it does already.
-- parameters: $name, $position, $reason, $actor, $skipped_at (microseconds since 1970-01-01 UTC)
insert into reactions_skipped (name, position, reason, actor, skipped_at) values ($name, $position, $reason, $actor, $skipped_at)
on conflict (name, position) do nothing
