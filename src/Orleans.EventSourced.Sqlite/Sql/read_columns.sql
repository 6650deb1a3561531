-- The columns of a table and their declared types in lower case (SQLite shows some in upper case); none: there is no such table.
-- parameters: $table; columns: name, type
select name, lower(type) || case when "notnull" then ' not null' else '' end from pragma_table_info($table)
