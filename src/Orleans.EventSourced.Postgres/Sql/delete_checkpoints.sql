-- Forgets the checkpoints, and what waits for parked rows, of a version, of all its tables or of the one in a role, and answers which tables those were. $1 view, $2 version, $3 role or null.
-- Waits for the runners that move them.
with gone as (delete from es_views.checkpoints where view = $1 and version = $2 and ($3 is null or role = $3) returning edition),
     forgotten as (delete from es_views.parked p using gone g where p.view = $1 and p.version = $2 and p.edition = g.edition)
select distinct edition from gone order by edition
