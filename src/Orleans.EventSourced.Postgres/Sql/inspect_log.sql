-- The row that gives the log its identity, for whoever checks it.
-- columns: only_row, log_id, created_at, seal
-- locks: none
select l.only_row, l.log_id, l.created_at, l.seal from es.log l
