-- Drops every snapshot of a stream by one fold.
-- parameters: $1 uuid log id, $2 text stream, $3 int fold version
-- locks: the rows dropped
delete from es.snapshots s
where s.log_id = $1 and s.stream = $2 and s.fold_version = $3
