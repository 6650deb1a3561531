-- The names of streams; they never change.
-- parameters: $1 bigint[] ids
-- columns: id, name
-- locks: none
select s.id, s.name from es.streams s where s.id = any ($1)
