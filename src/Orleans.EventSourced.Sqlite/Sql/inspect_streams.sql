-- A page of streams, whatever stands in them. parameters: $after, $most; columns: id, name, type, created_at, seal; ordered by id
select id, name, type, created_at, seal from streams where id > $after order by id limit $most
