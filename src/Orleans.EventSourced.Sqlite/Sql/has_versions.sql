-- Whether a view has a version that was opened.
-- parameters: $view; columns: 0 or 1
select exists (select 1 from checkpoints where view = $view)
