-- How many rows of the table that is built are parked.
-- parameters: $view, $version; one row of one column
select count(*) from (
  select distinct p.slice, p.key
  from parked p
  join checkpoints c on c.view = p.view and c.version = p.version and c.edition = p.edition and c.slice = p.slice
  where c.view = $view and c.version = $version and c.role = 'building'
)
