-- columns: the number that a new stream gets
select coalesce(max(id), 0) + 1 from streams
