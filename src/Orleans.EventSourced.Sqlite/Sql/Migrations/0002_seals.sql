-- What gives away a change that the chain of links does not: seals of the rows that no link covers, and beside each link a mark of each of its events. docs/log-format.md says what is in them.
-- Run by the writer, in one transaction; seal_of_log and seal_of_stream are functions of its connection.

alter table log add column seal blob check (length(seal) = 32);
drop trigger log_no_update;
update log set seal = seal_of_log(log_id, created_at);
create trigger log_no_update before update on log begin select raise(abort, 'log is append-only: update is refused'); end;

alter table streams add column seal blob check (length(seal) = 32);
drop trigger streams_no_update;
update streams set seal = seal_of_stream(id, name, created_at);
create trigger streams_no_update before update on streams begin select raise(abort, 'streams is append-only: update is refused'); end;

-- Null in commits from before.
alter table commits add column marks blob;
