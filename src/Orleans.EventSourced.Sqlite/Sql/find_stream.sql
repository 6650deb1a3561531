-- parameters: $name; columns: id and the version of the last event (0: none); one row at most
select s.id, coalesce((select e.version from events e where e.stream_id = s.id order by e.version desc limit 1), 0) from streams s where s.name = $name
