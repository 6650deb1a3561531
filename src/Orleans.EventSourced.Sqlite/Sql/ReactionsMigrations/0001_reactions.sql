-- Reactions: how far each has followed the log, and what it passes over. No derived data: it cannot be made again from the log, and is backed up with it. In a file of its own: there it
-- neither keeps the log's one writer busy nor is lost with the views.

-- Everything up to position is dealt with; it began at began. It moves only from where its mover left it, and over events that concern no one only now and then.
create table reactions (
  name text not null primary key,
  log_id blob not null check (length(log_id) = 16),
  began integer not null check (began >= 0),
  position integer not null check (position >= began),
  moved_at integer not null
) strict, without rowid;

-- Events that a reaction passes over, because an operator or its policy said so.
create table reactions_skipped (
  name text not null,
  position integer not null check (position > 0),
  reason text not null check (reason <> ''),
  actor text,
  skipped_at integer not null,
  primary key (name, position)
) strict, without rowid;
