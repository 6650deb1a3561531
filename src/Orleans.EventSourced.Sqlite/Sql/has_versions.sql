-- Whether a view has another version that was opened.
-- parameters: $view, $version; columns: 0 or 1
select exists (select 1 from checkpoints where view = $view and version <> $version)
