-- Keeps events that wait for parked rows. $1 view, $2 version, $3 edition, $4 slice, $5 keys, $6 positions, $7 faults or null. Locks the new rows only.
insert into es_views.parked (view, version, edition, slice, key, position, fault)
select $1, $2, $3, $4, p.key, p.position, p.fault from unnest($5::text[], $6::bigint[], $7::text[]) p(key, position, fault)
