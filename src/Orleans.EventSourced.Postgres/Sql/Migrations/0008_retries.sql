-- A parked row that is taken up changes rows while the checkpoint stays where it is: what guards the rows then is how often that was done.

set local role es_owner;

alter table es_views.checkpoints add column retries bigint not null default 0 check (retries >= 0);

reset role;
