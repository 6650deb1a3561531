-- What Orleans' AdoNet providers (clustering, grain storage, reminders; invariant Npgsql) need, which their packages do not bring along.
--
-- The providers know one table only, OrleansQuery, which they read without a schema: their connection string says "Search Path=orleans".
-- Everything else they run is a text from that table, found by its key. The keys, the @Parameters, the names of the result columns (in any
-- case) and the meaning of an answer are Orleans'; tables and statements are ours. Each text is one statement, so it is one transaction; it is
-- written for read committed: a writer that waited for a row lock looks at the row again, and a stale version then matches nothing.
--
-- Times are UTC. Versions start at 0 (cluster) or 1 (state, reminder) and grow by one with each change; Orleans' ETag is the version.
-- A key of a grain, with the name of its type and of the service, may have about 2,500 bytes: more does not fit into the index.

create schema orleans authorization es_owner;
set local role es_owner;

-- The statements the providers run.
create table orleans.orleansquery (
  querykey text collate "C" primary key,
  querytext text not null
);

-- One row a cluster. Every change to the members goes through its version, so that two changes made from the same view cannot both happen.
create table orleans.cluster (
  cluster_id text collate "C" primary key,
  version int not null default 0,
  changed_at timestamptz not null default clock_timestamp()
);

-- One row a silo process. status is Orleans' SiloStatus: 3 = active, 6 = dead. Every sign of life rewrites the row, so its page keeps room for it.
create table orleans.silo (
  cluster_id text collate "C" not null references orleans.cluster,
  address text collate "C" not null,
  port int not null,
  generation int not null,
  name text not null,
  host_name text not null,
  status int not null,
  gateway_port int not null,
  suspicions text,
  started_at timestamptz not null,
  alive_at timestamptz not null,
  primary key (cluster_id, address, port, generation)
) with (fillfactor = 50);

-- One row a grain's state. A cleared state keeps its row, without payload, so that its version goes on. The hash of the id is a part of the
-- identity: it alone tells the text key 'a' from the number 0 with the extension 'a'.
create table orleans.grain_state (
  grain_id_hash int not null,
  grain_type_hash int not null,
  service_id text collate "C" not null,
  grain_type text collate "C" not null,
  grain_id_0 bigint not null,
  grain_id_1 bigint not null,
  grain_id_extension text collate "C",
  version int not null,
  payload bytea,
  changed_at timestamptz not null default clock_timestamp(),
  unique nulls not distinct (grain_id_hash, grain_type_hash, service_id, grain_type, grain_id_0, grain_id_1, grain_id_extension)
);

-- One row a reminder. period is in milliseconds. Silos read ranges of hashes.
create table orleans.reminder (
  service_id text collate "C" not null,
  grain_id text collate "C" not null,
  name text collate "C" not null,
  grain_hash int not null,
  start_at timestamptz not null,
  period bigint not null,
  version int not null default 1,
  primary key (service_id, grain_id, name)
);

create index reminder_by_hash on orleans.reminder (service_id, grain_hash);

-- Clustering.

insert into orleans.orleansquery (querykey, querytext) values
-- answer: true when the row was made, false when it was there
('InsertMembershipVersionKey', $query$
with made as (
  insert into orleans.cluster (cluster_id) values (@DeploymentId) on conflict do nothing returning 1
)
select exists (select from made)
$query$),

-- answer: true when the silo was added, false when the version is not the cluster's or the silo is known
('InsertMembershipKey', $query$
with next as (
  update orleans.cluster
  set version = version + 1, changed_at = clock_timestamp()
  where cluster_id = @DeploymentId and version = @Version and not exists (
    select from orleans.silo
    where cluster_id = @DeploymentId and address = @Address and port = @Port and generation = @Generation)
  returning cluster_id
), made as (
  insert into orleans.silo
    (cluster_id, address, port, generation, name, host_name, status, gateway_port, started_at, alive_at)
  select cluster_id, @Address, @Port, @Generation, @SiloName, @HostName, @Status, @ProxyPort, @StartTime, @IAmAliveTime
  from next
  returning 1
)
select exists (select from made)
$query$),

-- answer: true when the silo was changed, false when the version is not the cluster's or the silo is unknown
('UpdateMembershipKey', $query$
with next as (
  update orleans.cluster
  set version = version + 1, changed_at = clock_timestamp()
  where cluster_id = @DeploymentId and version = @Version and exists (
    select from orleans.silo
    where cluster_id = @DeploymentId and address = @Address and port = @Port and generation = @Generation)
  returning cluster_id
), changed as (
  update orleans.silo s
  set status = @Status, suspicions = @SuspectTimes, alive_at = @IAmAliveTime
  from next
  where s.cluster_id = next.cluster_id and s.address = @Address and s.port = @Port and s.generation = @Generation
  returning 1
)
select exists (select from changed)
$query$),

-- a sign of life changes nothing that others decide by: the cluster's version stays
('UpdateIAmAlivetimeKey', $query$
update orleans.silo
set alive_at = @IAmAliveTime
where cluster_id = @DeploymentId and address = @Address and port = @Port and generation = @Generation
$query$),

-- answer: one row at least, with the cluster's version; without a silo the other columns are null
('MembershipReadRowKey', $query$
select c.version, s.address, s.port, s.generation, s.name as siloname, s.host_name as hostname, s.status, s.gateway_port as proxyport,
  s.suspicions as suspecttimes, s.started_at as starttime, s.alive_at as iamalivetime
from orleans.cluster c
left join orleans.silo s
  on s.cluster_id = c.cluster_id and s.address = @Address and s.port = @Port and s.generation = @Generation
where c.cluster_id = @DeploymentId
$query$),

('MembershipReadAllKey', $query$
select c.version, s.address, s.port, s.generation, s.name as siloname, s.host_name as hostname, s.status, s.gateway_port as proxyport,
  s.suspicions as suspecttimes, s.started_at as starttime, s.alive_at as iamalivetime
from orleans.cluster c
left join orleans.silo s on s.cluster_id = c.cluster_id
where c.cluster_id = @DeploymentId
$query$),

-- answer: the silos that take clients
('GatewaysQueryKey', $query$
select address, gateway_port as proxyport, generation
from orleans.silo
where cluster_id = @DeploymentId and status = @Status and gateway_port > 0
$query$),

('DeleteMembershipTableEntriesKey', $query$
with silos as (
  delete from orleans.silo where cluster_id = @DeploymentId
)
delete from orleans.cluster where cluster_id = @DeploymentId
$query$),

-- 6 = dead: a silo that only stopped signing on may come back
('CleanupDefunctSiloEntriesKey', $query$
delete from orleans.silo
where cluster_id = @DeploymentId and status = 6 and started_at < @IAmAliveTime and alive_at < @IAmAliveTime
$query$),

-- one dead silo, as it was read: a row that has changed since stays
('CleanupDefunctSiloEntryKey', $query$
delete from orleans.silo
where cluster_id = @DeploymentId and address = @Address and port = @Port and generation = @Generation and status = 6
  and started_at = @StartTime and alive_at = @IAmAliveTime and suspicions is not distinct from @SuspectTimes
$query$);

-- Grain storage. An answer without a row is a version conflict.

insert into orleans.orleansquery (querykey, querytext) values
('ReadFromStorageKey', $query$
select payload as payloadbinary, version
from orleans.grain_state
where grain_id_hash = @GrainIdHash and grain_type_hash = @GrainTypeHash and service_id = @ServiceId and grain_type = @GrainTypeString
  and grain_id_0 = @GrainIdN0 and grain_id_1 = @GrainIdN1 and grain_id_extension is not distinct from @GrainIdExtensionString
$query$),

-- a null version says "there is no row yet"
('WriteToStorageKey', $query$
with made as (
  insert into orleans.grain_state
    (grain_id_hash, grain_type_hash, service_id, grain_type, grain_id_0, grain_id_1, grain_id_extension, version, payload)
  select @GrainIdHash, @GrainTypeHash, @ServiceId, @GrainTypeString, @GrainIdN0, @GrainIdN1, @GrainIdExtensionString, 1, @PayloadBinary
  where @GrainStateVersion is null
  on conflict do nothing
  returning version
), changed as (
  update orleans.grain_state
  set payload = @PayloadBinary, version = version + 1, changed_at = clock_timestamp()
  where grain_id_hash = @GrainIdHash and grain_type_hash = @GrainTypeHash and service_id = @ServiceId and grain_type = @GrainTypeString
    and grain_id_0 = @GrainIdN0 and grain_id_1 = @GrainIdN1 and grain_id_extension is not distinct from @GrainIdExtensionString
    and version = @GrainStateVersion
  returning version
)
select version as newgrainstateversion from made
union all
select version from changed
$query$),

('ClearStorageKey', $query$
update orleans.grain_state
set payload = null, version = version + 1, changed_at = clock_timestamp()
where grain_id_hash = @GrainIdHash and grain_type_hash = @GrainTypeHash and service_id = @ServiceId and grain_type = @GrainTypeString
  and grain_id_0 = @GrainIdN0 and grain_id_1 = @GrainIdN1 and grain_id_extension is not distinct from @GrainIdExtensionString
  and version = @GrainStateVersion
returning version
$query$),

-- as clear, for providers that are told to remove the row
('DeleteStorageKey', $query$
delete from orleans.grain_state
where grain_id_hash = @GrainIdHash and grain_type_hash = @GrainTypeHash and service_id = @ServiceId and grain_type = @GrainTypeString
  and grain_id_0 = @GrainIdN0 and grain_id_1 = @GrainIdN1 and grain_id_extension is not distinct from @GrainIdExtensionString
  and version = @GrainStateVersion
returning version + 1
$query$);

-- Reminders.

insert into orleans.orleansquery (querykey, querytext) values
('ReadReminderRowKey', $query$
select grain_id as grainid, name as remindername, start_at as starttime, period, version
from orleans.reminder
where service_id = @ServiceId and grain_id = @GrainId and name = @ReminderName
$query$),

('ReadReminderRowsKey', $query$
select grain_id as grainid, name as remindername, start_at as starttime, period, version
from orleans.reminder
where service_id = @ServiceId and grain_id = @GrainId
$query$),

-- the hashes from begin (exclusive) to end (inclusive)
('ReadRangeRows1Key', $query$
select grain_id as grainid, name as remindername, start_at as starttime, period, version
from orleans.reminder
where service_id = @ServiceId and grain_hash > @BeginHash and grain_hash <= @EndHash
$query$),

-- the same when the range goes over the end of the ring; begin = end is the whole ring
('ReadRangeRows2Key', $query$
select grain_id as grainid, name as remindername, start_at as starttime, period, version
from orleans.reminder
where service_id = @ServiceId and (grain_hash > @BeginHash or grain_hash <= @EndHash)
$query$),

-- answer: the new version
('UpsertReminderRowKey', $query$
insert into orleans.reminder as r (service_id, grain_id, name, grain_hash, start_at, period)
values (@ServiceId, @GrainId, @ReminderName, @GrainHash, @StartTime, @Period)
on conflict (service_id, grain_id, name) do update
set grain_hash = excluded.grain_hash, start_at = excluded.start_at, period = excluded.period, version = r.version + 1
returning version
$query$),

-- answer: false when the reminder is gone or has another version
('DeleteReminderRowKey', $query$
with gone as (
  delete from orleans.reminder
  where service_id = @ServiceId and grain_id = @GrainId and name = @ReminderName and version = @Version
  returning 1
)
select exists (select from gone)
$query$),

('DeleteReminderRowsKey', $query$
delete from orleans.reminder where service_id = @ServiceId
$query$);

-- The silos' role uses the tables and cannot change the statements.
grant usage on schema orleans to es_writer;
grant select on orleans.orleansquery to es_writer;
grant select, insert, update, delete on orleans.cluster, orleans.silo, orleans.grain_state, orleans.reminder to es_writer;

reset role;
