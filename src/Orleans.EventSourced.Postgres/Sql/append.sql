-- Appends a batch and commits it, in one round trip; see es.append in 0001_log.sql for parameters, result and locks.
call es.append($1, $2, $3, $4, $5, $6, $7, $8, $9, null, null, null, null)
