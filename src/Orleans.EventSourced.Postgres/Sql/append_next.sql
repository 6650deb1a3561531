-- Appends events that come next in their streams and commits them, in one round trip; see es.append_next in 0014_append_next.sql for parameters, result and refusals.
call es.append_next($1, $2, $3, $4, $5, $6, $7, $8, null, null)
