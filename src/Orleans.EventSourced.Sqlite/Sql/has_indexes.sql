-- Whether a table has indexes beside its primary key, 1 or 0; they are made all at once; no row: there is no such table.
-- parameters: $table
select exists (select 1 from pragma_index_list(t.name) i where i.origin <> 'pk') from sqlite_master t where t.type = 'table' and t.name = $table
