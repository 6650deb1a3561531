-- Gives the next table of a version its number. $1 view, $2 version, $3 reason, $4 actor or null. Locks the new row until the commit.
insert into es_views.editions (view, version, edition, reason, actor)
select $1, $2, coalesce(max(e.edition), 0) + 1, $3, $4 from es_views.editions e where e.view = $1 and e.version = $2
returning edition, begun_at
