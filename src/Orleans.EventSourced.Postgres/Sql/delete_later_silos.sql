-- Forgets the members of a cluster that were at an address later than its next one will say to be: their clock was ahead.
-- $1 text: cluster; $2 text: address; $3 int: port; $4 int: generation of the one that starts now. Locks the rows.
delete from orleans.silo where cluster_id = $1 and address = $2 and port = $3 and generation > $4
