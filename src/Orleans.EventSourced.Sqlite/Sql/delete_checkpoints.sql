-- Forgets the checkpoints of a version, of all its tables or of the one in a role, and answers of each which table it was of.
-- parameters: $view, $version, $role or null; columns: edition
delete from checkpoints where view = $view and version = $version and ($role is null or role = $role) returning edition
