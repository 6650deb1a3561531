-- The events that a version of a view passes over, by position: position, reason, actor, skipped_at.
select position, reason, actor, skipped_at from skipped where view = $view and version = $version order by position
