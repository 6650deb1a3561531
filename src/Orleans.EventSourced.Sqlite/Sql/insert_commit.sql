-- parameters: as named
insert into commits (position, id, count, recorded_at, link, marks) values ($position, $id, $count, $recorded_at, $link, $marks)
