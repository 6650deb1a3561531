-- parameters: as named
insert into streams (id, name, type, created_at, seal) values ($id, $name, $type, $created_at, $seal)
