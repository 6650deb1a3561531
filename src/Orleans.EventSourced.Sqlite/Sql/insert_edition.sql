-- Gives the next table of a version its number.
-- parameters: $view, $version, $now (microseconds since 1970-01-01 UTC), $reason, $actor or null; columns: edition
insert into editions (view, version, edition, begun_at, reason, actor)
select $view, $version, coalesce(max(e.edition), 0) + 1, $now, $reason, $actor from editions e where e.view = $view and e.version = $version
returning edition
