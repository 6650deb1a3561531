-- Keeps a snapshot unless it is there already.
-- parameters: $1 uuid log id, $2 text stream, $3 int fold version, $4 int version, $5 bigint position, $6 uuid event id, $7 bytea state
-- locks: the new row
insert into es.snapshots (log_id, stream, fold_version, version, position, event_id, state)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
