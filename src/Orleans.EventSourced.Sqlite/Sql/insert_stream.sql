-- parameters: $name, $type, $created_at; columns: the new id
insert into streams (name, type, created_at) values ($name, $type, $created_at) returning id
