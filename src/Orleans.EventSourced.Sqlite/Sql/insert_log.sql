-- Gives a new log its identity. parameters: $log_id, $created_at
insert into log (only_row, log_id, created_at) values (1, $log_id, $created_at)
