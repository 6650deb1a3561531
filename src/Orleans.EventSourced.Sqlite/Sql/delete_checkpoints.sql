-- Forgets the checkpoints of a version; no row affected: there is none.
-- parameters: $view, $version
delete from checkpoints where view = $view and version = $version
