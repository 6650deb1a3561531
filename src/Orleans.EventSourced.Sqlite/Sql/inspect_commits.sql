-- A page of commits, whatever stands in them. parameters: $after, $most; columns: position, id, count, recorded_at, link, marks; ordered by position
select position, id, count, recorded_at, link, marks from commits where position > $after order by position limit $most
