-- Reactions: how far each has followed the log, and what it passes over. No derived data: it cannot be made again from the log, and is backed up with it.

set local role es_owner;

-- Everything up to position is dealt with; it began at began. It moves only from where its mover left it, and over events that concern no one only now and then.
create table es.reactions (
  name text collate "C" primary key,
  log_id uuid not null,
  began bigint not null check (began >= 0),
  position bigint not null check (position >= began),
  moved_at timestamptz not null default clock_timestamp()
);

-- Events that a reaction passes over, because an operator or its policy said so.
create table es.reactions_skipped (
  name text collate "C" not null,
  position bigint not null check (position > 0),
  reason text not null check (reason <> ''),
  actor text,
  skipped_at timestamptz not null,
  primary key (name, position)
);

grant select, insert, update on es.reactions to es_writer;

-- What was said stays said.
grant select, insert on es.reactions_skipped to es_writer;

reset role;
