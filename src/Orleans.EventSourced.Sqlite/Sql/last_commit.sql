-- columns: position, id, count, recorded_at, link of the last commit; one row at most
select position, id, count, recorded_at, link from commits order by position desc limit 1
