-- parameters: as named
insert into commits (position, id, count, recorded_at, link) values ($position, $id, $count, $recorded_at, $link)
