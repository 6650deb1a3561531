using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Orleans.Storage;
using Orleans.Streams;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Cluster;

public sealed class OrleansTablesTests(ClusterOfSilos cluster) : IClassFixture<ClusterOfSilos>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task silos_see_each_other_and_a_silo_that_stops_is_dead_in_the_tables_and_for_the_others()
    {
        using var third = await cluster.StartSiloAsync();
        var address = ClusterOfSilos.AddressOf(third);
        foreach (var silo in new[] { cluster.First, cluster.Second, third })
        {
            await ClusterOfSilos.UntilAsync("every silo sees three active ones", async () => (await ActiveAsync(silo)).Count == 3);
        }

        Assert.Equal(SiloStatus.Active, await cluster.StatusOfAsync(address));

        await third.StopAsync(Cancel);

        Assert.Equal(SiloStatus.Dead, await cluster.StatusOfAsync(address));
        await ClusterOfSilos.UntilAsync("the first silo sees that the third is gone", async () => !(await ActiveAsync(cluster.First)).Contains(address));
    }

    [Fact]
    public async Task cleaning_up_removes_dead_silos_only()
    {
        using var gone = await cluster.StartSiloAsync();
        var address = ClusterOfSilos.AddressOf(gone);
        await gone.StopAsync(Cancel);
        var table = cluster.First.Services.GetRequiredService<IMembershipTable>();
        Assert.Contains((await table.ReadAllAsync(Cancel)).Members, member => member.Item1.SiloAddress.Equals(address));

        await table.CleanupDefunctSiloEntriesAsync(TimeProvider.System.GetUtcNow() - TimeSpan.FromHours(1), Cancel);
        Assert.Contains((await table.ReadAllAsync(Cancel)).Members, member => member.Item1.SiloAddress.Equals(address));

        await table.CleanupDefunctSiloEntriesAsync(TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(1), Cancel);
        var left = (await table.ReadAllAsync(Cancel)).Members.Select(member => member.Item1.SiloAddress).ToList();
        Assert.DoesNotContain(address, left);
        Assert.Contains(ClusterOfSilos.AddressOf(cluster.First), left);
        Assert.Contains(ClusterOfSilos.AddressOf(cluster.Second), left);
    }

    [Fact]
    public async Task the_statement_that_cleans_up_by_time_spares_silos_that_are_not_dead()
    {
        using var host = cluster.BuildSilo(NewName());
        var (table, version) = await EmptyTableAsync(host);
        await table.InsertRowAsync(Silo(1, SiloStatus.Active), version.Next(), Cancel);
        await table.InsertRowAsync(Silo(2, SiloStatus.Dead), (await table.ReadAllAsync(Cancel)).Version.Next(), Cancel);
        var text = await cluster.ScalarAsync("select querytext from orleansquery where querykey = 'CleanupDefunctSiloEntriesKey'");

        await using var source = NpgsqlDataSource.Create(cluster.ConnectionString);
        await using var command = source.CreateCommand((string)text!);
        command.Parameters.AddWithValue("DeploymentId", ClusterIdOf(host));
        command.Parameters.AddWithValue("IAmAliveTime", (TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(1)).UtcDateTime);
        Assert.Equal(1, await command.ExecuteNonQueryAsync(Cancel));

        Assert.Equal(1, Assert.Single((await table.ReadAllAsync(Cancel)).Members).Item1.SiloAddress.Endpoint.Port);
    }

    [Fact]
    public async Task a_member_is_read_back_as_it_was_written()
    {
        using var host = cluster.BuildSilo(NewName());
        var (table, version) = await EmptyTableAsync(host);
        var silo = Silo(7, SiloStatus.Joining);
        Assert.True(await table.InsertRowAsync(silo, version.Next(), Cancel));
        var now = (await table.ReadAllAsync(Cancel)).Version;
        silo.Status = SiloStatus.Active;
        silo.SuspectTimes = [Tuple.Create(Silo(8, SiloStatus.Active).SiloAddress, new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc))];
        Assert.True(await table.UpdateRowAsync(silo, now.VersionEtag, now.Next(), Cancel));
        silo.IAmAliveTime += TimeSpan.FromSeconds(5);
        await table.UpdateIAmAliveAsync(silo, Cancel);

        var data = await table.ReadRowAsync(silo.SiloAddress, Cancel);

        Assert.Equal(2, data.Version.Version);
        var read = Assert.Single(data.Members).Item1;
        Assert.Equal(silo.SiloAddress, read.SiloAddress);
        Assert.Equal((silo.SiloName, silo.HostName, silo.Status, silo.ProxyPort), (read.SiloName, read.HostName, read.Status, read.ProxyPort));
        Assert.Equal((silo.StartTime, silo.IAmAliveTime), (read.StartTime, read.IAmAliveTime));
        Assert.Equal(silo.SuspectTimes, read.SuspectTimes);
    }

    [Fact]
    public async Task the_version_row_of_a_cluster_is_made_once_and_an_unknown_silo_reads_as_the_version_alone()
    {
        using var host = cluster.BuildSilo(NewName());
        var (table, version) = await EmptyTableAsync(host);
        await table.InsertRowAsync(Silo(1, SiloStatus.Active), version.Next(), Cancel);

        await table.InitializeMembershipTableAsync(true, Cancel);

        var data = await table.ReadRowAsync(Silo(2, SiloStatus.Active).SiloAddress, Cancel);
        Assert.Equal(1, data.Version.Version);
        Assert.Empty(data.Members);

        await table.DeleteMembershipTableEntriesAsync(ClusterIdOf(host), Cancel);
        await table.InitializeMembershipTableAsync(true, Cancel);
        Assert.Equal(0, (await table.ReadAllAsync(Cancel)).Version.Version);
    }

    [Fact]
    public async Task of_two_changes_made_from_the_same_view_of_the_cluster_one_is_refused()
    {
        using var host = cluster.BuildSilo(NewName());
        var (table, version) = await EmptyTableAsync(host);

        Assert.True(await table.InsertRowAsync(Silo(1, SiloStatus.Joining), version.Next(), Cancel));
        Assert.False(await table.InsertRowAsync(Silo(2, SiloStatus.Joining), version.Next(), Cancel));
        var now = (await table.ReadAllAsync(Cancel)).Version;
        Assert.False(await table.InsertRowAsync(Silo(1, SiloStatus.Joining), now.Next(), Cancel));
        Assert.False(await table.UpdateRowAsync(Silo(1, SiloStatus.Active), version.VersionEtag, version.Next(), Cancel));
        Assert.False(await table.UpdateRowAsync(Silo(3, SiloStatus.Active), now.VersionEtag, now.Next(), Cancel));
        Assert.True(await table.UpdateRowAsync(Silo(1, SiloStatus.Active), now.VersionEtag, now.Next(), Cancel));

        var data = await table.ReadAllAsync(Cancel);
        Assert.Equal(2, data.Version.Version);
        Assert.Equal(SiloStatus.Active, Assert.Single(data.Members).Item1.Status);
    }

    [Fact]
    public async Task many_silos_that_join_at_once_each_get_a_version_of_their_own()
    {
        const int silos = 16;
        using var host = cluster.BuildSilo(NewName());
        var (table, _) = await EmptyTableAsync(host);
        var refused = 0;

        await Parallel.ForAsync(1, silos + 1, new ParallelOptions { MaxDegreeOfParallelism = silos, CancellationToken = Cancel }, async (port, _) =>
        {
            while (!await table.InsertRowAsync(Silo(port, SiloStatus.Joining), (await table.ReadAllAsync(Cancel)).Version.Next(), Cancel))
            {
                Assert.True(Interlocked.Increment(ref refused) < silos * silos, "Joining makes no progress.");
            }
        });

        var data = await table.ReadAllAsync(Cancel);
        Assert.Equal(silos, data.Members.Count);
        Assert.Equal(silos, data.Version.Version);
    }

    [Fact]
    public async Task the_gateways_are_those_of_the_active_silos()
    {
        using var host = cluster.BuildSilo(NewName());
        var (table, version) = await EmptyTableAsync(host);
        await table.InsertRowAsync(Silo(1, SiloStatus.Active), version.Next(), Cancel);
        await table.InsertRowAsync(Silo(2, SiloStatus.Dead), (await table.ReadAllAsync(Cancel)).Version.Next(), Cancel);
        var text = await cluster.ScalarAsync("select querytext from orleansquery where querykey = 'GatewaysQueryKey'");

        await using var source = NpgsqlDataSource.Create(cluster.ConnectionString);
        await using var command = source.CreateCommand((string)text!);
        command.Parameters.AddWithValue("DeploymentId", ClusterIdOf(host));
        command.Parameters.AddWithValue("Status", (int)SiloStatus.Active);
        await using var reader = await command.ExecuteReaderAsync(Cancel);

        Assert.True(await reader.ReadAsync(Cancel));
        Assert.Equal(30001, reader.GetInt32(reader.GetOrdinal("ProxyPort")));
        Assert.Equal("127.0.0.1", reader.GetString(reader.GetOrdinal("Address")));
        Assert.False(await reader.ReadAsync(Cancel));
    }

    [Fact]
    public async Task a_grains_state_survives_the_silo_that_wrote_it()
    {
        var key = NewName();
        var third = await cluster.StartSiloAsync();
        await ClusterOfSilos.Grains(third).GetGrain<INoteGrain>(key).WriteAsync("first");
        await ClusterOfSilos.Grains(third).GetGrain<INoteGrain>(key).WriteAsync("second");
        await third.StopAsync(Cancel);
        third.Dispose();
        await ClusterOfSilos.Grains(cluster.First).GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero, Cancel);

        Assert.Equal("second", await ClusterOfSilos.Grains(cluster.Second).GetGrain<INoteGrain>(key).ReadAsync());
        await ClusterOfSilos.Grains(cluster.Second).GetGrain<INoteGrain>(key).ClearAsync();
        Assert.Equal("", await ClusterOfSilos.Grains(cluster.First).GetGrain<INoteGrain>(key).ReadAsync());
    }

    [Theory]
    [InlineData("Default")]
    [InlineData("PubSubStore")]
    public async Task a_state_written_from_an_old_view_is_refused_and_the_newer_one_stays(string provider)
    {
        var storage = cluster.First.Services.GetRequiredKeyedService<IGrainStorage>(provider);
        var id = GrainId.Create("test-note", NewName());
        var mine = new GrainState<Note>(new Note { Text = "mine" });
        var theirs = new GrainState<Note>(new Note { Text = "theirs" });

        await storage.WriteStateAsync("note", id, mine);
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.WriteStateAsync("note", id, theirs));

        await storage.ReadStateAsync("note", id, theirs);
        Assert.Equal((mine.ETag, "mine", true), (theirs.ETag, theirs.State!.Text, theirs.RecordExists));
        mine.State!.Text = "mine again";
        await storage.WriteStateAsync("note", id, mine);
        Assert.NotEqual(theirs.ETag, mine.ETag);
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.WriteStateAsync("note", id, theirs));
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.ClearStateAsync("note", id, theirs));

        await storage.ReadStateAsync("note", id, theirs);
        Assert.Equal("mine again", theirs.State!.Text);
    }

    [Theory]
    [InlineData("Default", 1L)]
    [InlineData("PubSubStore", 0L)]
    public async Task a_cleared_state_reads_as_none_and_can_be_written_again(string provider, long rowsLeft)
    {
        var storage = cluster.First.Services.GetRequiredKeyedService<IGrainStorage>(provider);
        var key = NewName();
        var id = GrainId.Create("test-note", key);
        var state = new GrainState<Note>(new Note { Text = "x" });
        await storage.WriteStateAsync("note", id, state);

        await storage.ClearStateAsync("note", id, state);

        Assert.Equal(("", false), (state.State!.Text, state.RecordExists));
        Assert.Equal(rowsLeft, await cluster.ScalarAsync($"select count(*) from grain_state where grain_id_extension = '{key}'"));
        var other = new GrainState<Note>();
        await storage.ReadStateAsync("note", id, other);
        Assert.Equal(("", false), (other.State!.Text, other.RecordExists));
        other.State!.Text = "y";
        await storage.WriteStateAsync("note", id, other);
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.WriteStateAsync("note", id, state));
    }

    [Fact]
    public async Task of_many_first_writes_of_a_state_one_succeeds()
    {
        var storage = cluster.First.Services.GetRequiredKeyedService<IGrainStorage>("Default");
        var id = GrainId.Create("test-note", NewName());
        var states = Enumerable.Range(0, 16).Select(n => new GrainState<Note>(new Note { Text = $"{n}" })).ToList();

        var written = await Task.WhenAll(states.Select(async state =>
        {
            try
            {
                await storage.WriteStateAsync("note", id, state);
                return true;
            }
            catch (InconsistentStateException)
            {
                return false;
            }
        }));

        Assert.Single(written, true);
        var read = new GrainState<Note>();
        await storage.ReadStateAsync("note", id, read);
        Assert.Equal(states[Array.IndexOf(written, true)].State!.Text, read.State!.Text);
    }

    [Fact]
    public async Task keys_that_differ_only_in_kind_have_states_of_their_own()
    {
        var storage = cluster.First.Services.GetRequiredKeyedService<IGrainStorage>("Default");
        IdSpan[] keys = [IdSpan.Create("a"), GrainIdKeyExtensions.CreateIntegerKey(0), GrainIdKeyExtensions.CreateIntegerKey(0, "a"),
            GrainIdKeyExtensions.CreateGuidKey(Guid.Empty), GrainIdKeyExtensions.CreateGuidKey(Guid.Empty, "a")];
        var type = NewName();
        foreach (var key in keys)
        {
            await storage.WriteStateAsync(type, GrainId.Create(GrainType.Create("test-note"), key), new GrainState<Note>(new Note { Text = key.ToString()! }));
        }

        foreach (var key in keys)
        {
            var read = new GrainState<Note>();
            await storage.ReadStateAsync(type, GrainId.Create(GrainType.Create("test-note"), key), read);
            Assert.Equal(key.ToString(), read.State!.Text);
        }
    }

    [Fact]
    public async Task a_reminder_is_listed_ticks_and_is_forgotten()
    {
        var key = NewName();
        var grain = ClusterOfSilos.Grains(cluster.First).GetGrain<INoteGrain>(key);
        await grain.RemindAsync("soon", TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(1));
        await grain.RemindAsync("later", TimeSpan.FromHours(1), TimeSpan.FromHours(1));
        Assert.Equal(["later", "soon"], await grain.RemindersAsync());

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var ticks = await Task.WhenAny(new[] { cluster.First, cluster.Second }.Select(silo => NextTickAsync(silo, key, ended.Token)));
        Assert.Equal($"{key}/soon", await ticks);
        await ended.CancelAsync();

        await grain.ForgetAsync("soon");
        Assert.Equal(["later"], await grain.RemindersAsync());
    }

    [Fact]
    public async Task reminders_keep_their_period_beyond_24_days_and_are_removed_only_by_their_newest_version()
    {
        var table = cluster.First.Services.GetRequiredService<IReminderTable>();
        var entry = new ReminderEntry
        {
            GrainId = GrainId.Create("test-note", NewName()),
            ReminderName = "far",
            StartAt = new DateTime(2030, 1, 1, 0, 0, 0, DateTimeKind.Utc),
            Period = TimeSpan.FromDays(40),
        };
        var old = await table.UpsertRow(entry, Cancel);
        var current = await table.UpsertRow(entry, Cancel);

        var read = await table.ReadRow(entry.GrainId, "far", Cancel);
        Assert.Equal((entry.StartAt, entry.Period, current), (read!.StartAt, read.Period, read.ETag));
        Assert.False(await table.RemoveRow(entry.GrainId, "far", old!, Cancel));
        Assert.True(await table.RemoveRow(entry.GrainId, "far", current!, Cancel));
        Assert.False(await table.RemoveRow(entry.GrainId, "far", current!, Cancel));
        Assert.Null(await table.ReadRow(entry.GrainId, "far", Cancel));
    }

    [Fact]
    public async Task a_range_of_hashes_excludes_its_begin_includes_its_end_and_may_go_over_the_end_of_the_ring()
    {
        var table = cluster.First.Services.GetRequiredService<IReminderTable>();
        var entries = Enumerable.Range(0, 32).Select(n => new ReminderEntry
        {
            GrainId = GrainId.Create("test-note", NewName()),
            ReminderName = "ranged",
            StartAt = new DateTime(2030, 1, 1, 0, 0, 0, DateTimeKind.Utc),
            Period = TimeSpan.FromHours(1),
        }).OrderBy(entry => entry.GrainId.GetUniformHashCode()).ToList();
        foreach (var entry in entries)
        {
            await table.UpsertRow(entry, Cancel);
        }

        var hashes = entries.ConvertAll(entry => entry.GrainId.GetUniformHashCode());
        Assert.Equal(hashes[5..20], await RangeAsync(hashes[4], hashes[19]));
        Assert.Equal(hashes[..5].Concat(hashes[20..]), await RangeAsync(hashes[19], hashes[4]));
        Assert.Equal(hashes, await RangeAsync(7, 7));

        async Task<IEnumerable<uint>> RangeAsync(uint begin, uint end) =>
            (await table.ReadRows(begin, end, Cancel)).Reminders.Where(entry => entry.ReminderName == "ranged").Select(entry => entry.GrainId.GetUniformHashCode()).Order();
    }

    [Fact]
    public async Task a_subscription_made_on_one_silo_is_kept_in_the_tables_and_receives_from_another()
    {
        var id = Orleans.Runtime.StreamId.Create("notes", NewName());
        var received = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var subscription = await Stream(cluster.First).SubscribeAsync((text, _) =>
        {
            received.TrySetResult(text);
            return Task.CompletedTask;
        });
        Assert.Equal(1L, await cluster.ScalarAsync($"select count(*) from grain_state where grain_id_extension like '%{id.GetKeyAsString()}%' and payload is not null"));

        await Stream(cluster.Second).OnNextAsync("hello");

        Assert.Equal("hello", await received.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancel));
        await subscription.UnsubscribeAsync();

        IAsyncStream<string> Stream(IHost silo) => silo.Services.GetRequiredKeyedService<IStreamProvider>(ClusterOfSilos.Streams).GetStream<string>(id);
    }

    [Theory]
    [InlineData("update orleansquery set querytext = ''")]
    [InlineData("delete from orleansquery")]
    [InlineData("drop table silo")]
    [InlineData("create table mine (n int)")]
    [InlineData("set role es_owner")]
    public async Task a_silo_cannot_change_the_statements_or_the_tables(string sql)
    {
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => cluster.ScalarAsync(sql));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
    }

    private static async Task<ICollection<SiloAddress>> ActiveAsync(IHost silo) =>
        (await ClusterOfSilos.Grains(silo).GetGrain<IManagementGrain>(0).GetHosts(onlyActive: true)).Keys;

    private static async Task<string> NextTickAsync(IHost silo, string key, CancellationToken cancellationToken)
    {
        await foreach (var tick in silo.Services.GetRequiredService<Ticks>().Seen.Reader.ReadAllAsync(cancellationToken))
        {
            if (tick.StartsWith(key, StringComparison.Ordinal))
            {
                return tick;
            }
        }

        throw new InvalidOperationException("The channel of ticks is never completed.");
    }

    private static async Task<(IMembershipTable Table, TableVersion Version)> EmptyTableAsync(IHost host)
    {
        var table = host.Services.GetRequiredService<IMembershipTable>();
        await table.InitializeMembershipTableAsync(true, Cancel);
        var data = await table.ReadAllAsync(Cancel);
        Assert.Equal(0, data.Version.Version);
        Assert.Empty(data.Members);
        return (table, data.Version);
    }

    private static string ClusterIdOf(IHost host) => host.Services.GetRequiredService<Microsoft.Extensions.Options.IOptions<Configuration.ClusterOptions>>().Value.ClusterId;

    private static MembershipEntry Silo(int port, SiloStatus status) => new()
    {
        SiloAddress = SiloAddress.New(IPAddress.Loopback, port, 1),
        SiloName = $"silo-{port}",
        HostName = "here",
        Status = status,
        ProxyPort = 30000 + port,
        StartTime = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc),
        IAmAliveTime = new DateTime(2026, 1, 1, 0, 0, 1, DateTimeKind.Utc),
    };

    private static string NewName() => "n" + Guid.CreateVersion7().ToString("n");
}
