-- Keeps a snapshot unless it is there already.
-- parameters: $1 text stream, $2 int fold version, $3 int version, $4 bigint position, $5 bytea state
-- locks: the new row
insert into es.snapshots (stream, fold_version, version, position, state)
values ($1, $2, $3, $4, $5)
on conflict do nothing
