-- Gives the table in one role another one, which no table has.
-- parameters: $view, $version, $role, $next
update checkpoints set role = $next where view = $view and version = $version and role = $role
