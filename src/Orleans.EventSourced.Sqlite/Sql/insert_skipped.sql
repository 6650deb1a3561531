-- Keeps that a version of a view passes over an event; no row affected: it does already.
insert into skipped (view, version, position, reason, actor, skipped_at) values ($view, $version, $position, $reason, $actor, $skipped_at)
on conflict (view, version, position) do nothing
