-- The append-only log in one SQLite file: the same tables as in PostgreSQL. Ids are 16 bytes, big-endian; times are microseconds since 1970-01-01 UTC.
-- Run by the writer, in one transaction.

create table log (
  only_row integer primary key check (only_row = 1),
  log_id blob not null check (length(log_id) = 16),
  created_at integer not null
) strict;

create table streams (
  id integer primary key,
  name text not null unique check (length(name) >= 3),
  type text not null,
  created_at integer not null
) strict;

create table events (
  stream_id integer not null,
  version integer not null check (version > 0),
  commit_id integer not null,
  ordinal integer not null,
  id blob not null unique check (length(id) = 16),
  type text not null,
  schema integer not null check (schema > 0),
  data text not null check (json_valid(data)),
  metadata text not null check (json_valid(metadata)),
  primary key (stream_id, version),
  unique (commit_id, ordinal)
) strict;

-- position is that of the commit's first event; an event's position is commits.position + ordinal.
create table commits (
  position integer primary key check (position > 0),
  id integer not null unique,
  count integer not null check (count > 0),
  recorded_at integer not null,
  link blob not null check (length(link) = 32)
) strict;

create trigger log_no_update before update on log begin select raise(abort, 'log is append-only: update is refused'); end;
create trigger log_no_delete before delete on log begin select raise(abort, 'log is append-only: delete is refused'); end;
create trigger streams_no_update before update on streams begin select raise(abort, 'streams is append-only: update is refused'); end;
create trigger streams_no_delete before delete on streams begin select raise(abort, 'streams is append-only: delete is refused'); end;
create trigger events_no_update before update on events begin select raise(abort, 'events is append-only: update is refused'); end;
create trigger events_no_delete before delete on events begin select raise(abort, 'events is append-only: delete is refused'); end;
create trigger commits_no_update before update on commits begin select raise(abort, 'commits is append-only: update is refused'); end;
create trigger commits_no_delete before delete on commits begin select raise(abort, 'commits is append-only: delete is refused'); end;

-- REPLACE deletes the row that is in the way without firing delete triggers, so a row whose key, or hidden rowid, is taken
-- is refused before it is inserted.
create trigger log_no_replace before insert on log when exists (select 1 from log where only_row = new.only_row)
begin select raise(abort, 'log is append-only: replace is refused'); end;
create trigger streams_no_replace before insert on streams when exists (select 1 from streams where id = new.id) or exists (select 1 from streams where name = new.name)
begin select raise(abort, 'streams is append-only: replace is refused'); end;
create trigger events_no_replace before insert on events when exists (select 1 from events where stream_id = new.stream_id and version = new.version)
  or exists (select 1 from events where rowid = new.rowid) or exists (select 1 from events where id = new.id) or exists (select 1 from events where commit_id = new.commit_id and ordinal = new.ordinal)
begin select raise(abort, 'events is append-only: replace is refused'); end;
create trigger commits_no_replace before insert on commits when exists (select 1 from commits where position = new.position) or exists (select 1 from commits where id = new.id)
begin select raise(abort, 'commits is append-only: replace is refused'); end;
