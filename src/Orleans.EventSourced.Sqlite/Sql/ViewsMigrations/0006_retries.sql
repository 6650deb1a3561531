-- A parked row that is taken up changes rows while the checkpoint stays where it is: what guards the rows then is how often that was done.
alter table checkpoints add column retries integer not null default 0 check (retries >= 0);
