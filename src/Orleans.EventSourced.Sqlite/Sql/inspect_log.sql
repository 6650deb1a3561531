-- columns: only_row, log_id, created_at, seal
select only_row, log_id, created_at, seal from log
