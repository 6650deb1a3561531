using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Sqlite;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>Whatever becomes of the snapshots and of the log beside them, the state is what the log says.</summary>
public sealed class SnapshotTests : IAsyncLifetime
{
    private readonly TestFolder _folder = new();
    private TestNode _node = null!;

    private string Views => Path.Combine(_folder.Path, "eventlog-views.db");

    private string Backup => Path.Combine(_folder.Path, "backup.db");

    public async ValueTask InitializeAsync() => _node = await TestNode.StartAsync(_folder.Database);

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task a_snapshot_ahead_of_a_restored_log_is_passed_over()
    {
        await AppendAsync(10, amount: 1);
        await RestartAsync(() => CopyLog(_folder.Database, Backup));
        await AppendAsync(100, amount: 1);
        await SnapshotIsTakenAsync(110);

        await RestartAsync(() => CopyLog(Backup, _folder.Database));
        Assert.Equal(new CounterState(10, 10, 10), await GetAsync());
    }

    [Fact]
    public async Task a_snapshot_of_what_a_restored_log_no_longer_holds_is_passed_over_and_gives_way_to_the_next()
    {
        await AppendAsync(10, amount: 1);
        await RestartAsync(() => CopyLog(_folder.Database, Backup));
        await AppendAsync(100, amount: 1);
        await SnapshotIsTakenAsync(110);

        // The same versions at the same positions, but other events.
        await RestartAsync(() => CopyLog(Backup, _folder.Database));
        await AppendAsync(100, amount: 2);
        Assert.Equal(new CounterState(210, 110, 110), await GetAsync());

        await SnapshotIsTakenAsync(110);
        var events = _node.Reads.EventsRead;
        Assert.Equal(new CounterState(210, 110, 110), await GetAsync());
        Assert.Equal(1, _node.Reads.EventsRead - events);
    }

    [Fact]
    public async Task a_snapshot_of_another_log_is_passed_over()
    {
        await AppendAsync(110, amount: 1);
        await SnapshotIsTakenAsync(110);

        await RestartAsync(() => DeleteLog(_folder.Database));
        await AppendAsync(120, amount: 2);
        Assert.Equal(new CounterState(240, 120, 120), await GetAsync());
    }

    [Fact]
    public async Task a_store_of_snapshots_that_fails_costs_no_activation()
    {
        await AppendAsync(110, amount: 1);
        await SnapshotIsTakenAsync(110);

        await ((IAsyncDisposable)_node.Services.GetRequiredService<ISnapshotStore>()).DisposeAsync();
        Assert.Equal(new CounterState(110, 110, 110), await GetAsync());
    }

    [Fact]
    public async Task a_file_of_snapshots_that_is_no_database_is_set_aside_at_start_and_begun_anew()
    {
        await AppendAsync(110, amount: 1);
        await RestartAsync(async () =>
        {
            await File.WriteAllTextAsync(Views, "no database");
            Assert.Contains(Views + ".damaged", await SqliteSchema.PrepareAsync(new SqliteOptions { Path = _folder.Database }, CancellationToken.None), StringComparison.Ordinal);
        });

        Assert.Equal(new CounterState(110, 110, 110), await GetAsync());
        await SnapshotIsTakenAsync(110);
        Assert.Equal("no database", await File.ReadAllTextAsync(Views + ".damaged"));
    }

    [Fact]
    public async Task a_file_of_snapshots_that_is_damaged_inside_costs_no_activation()
    {
        await AppendAsync(110, amount: 1);
        await SnapshotIsTakenAsync(110);
        await RestartAsync(async () =>
        {
            var bytes = await File.ReadAllBytesAsync(Views);
            bytes.AsSpan(4096).Fill(0x5A);
            await File.WriteAllBytesAsync(Views, bytes);
        });

        Assert.Equal(new CounterState(110, 110, 110), await GetAsync());
    }

    [Fact]
    public async Task a_state_that_a_snapshot_would_not_hold_whole_is_folded_from_the_beginning()
    {
        var score = _node.Grains.GetGrain<IScoreGrain>("a");
        await score.AddAsync(5);
        await score.AddAsync(5);
        await score.LeaveAsync();
        Assert.Equal(10, await score.GetAsync());
    }

    [Fact]
    public async Task a_snapshot_that_does_not_hold_its_state_whole_is_not_read()
    {
        var score = _node.Grains.GetGrain<IScoreGrain>("a");
        await score.AddAsync(5);
        await score.LeaveAsync();
        var e = Assert.Single(await _node.Loader.ReadAsync(new StreamId("score/a"), StreamVersion.None));
        var log = (await _node.Log.ReadHeadAsync(CancellationToken.None)).LogId;
        var snapshot = new Snapshot(log, e.Stream, e.Version, e.Position, e.Id, FoldVersion: 1, "{\"total\":5}"u8.ToArray());
        await _node.Services.GetRequiredService<ISnapshotStore>().WriteAsync(snapshot, CancellationToken.None);
        Assert.Equal(5, await score.GetAsync());
    }

    private async Task<CounterState> GetAsync()
    {
        var (total, version, position) = await Counter.GetAsync();
        return new CounterState(total, version, position);
    }

    private ICounterGrain Counter => _node.Grains.GetGrain<ICounterGrain>("a");

    private async Task SnapshotIsTakenAsync(int version)
    {
        await Counter.GetAsync();
        await Counter.LeaveAsync();
        var log = (await _node.Log.ReadHeadAsync(CancellationToken.None)).LogId;
        var store = _node.Services.GetRequiredService<ISnapshotStore>();
        await Eventually.Async($"a snapshot at version {version}", async () =>
            (await store.ReadLatestAsync(log, new StreamId("counter", "a"), 1, null, CancellationToken.None))?.Version == new StreamVersion(version));
    }

    private static void CopyLog(string from, string to)
    {
        DeleteLog(to);
        File.Copy(from, to);
        if (File.Exists(from + "-wal"))
        {
            File.Copy(from + "-wal", to + "-wal");
        }
    }

    private static void DeleteLog(string path)
    {
        File.Delete(path);
        File.Delete(path + "-wal");
        File.Delete(path + "-shm");
    }

    private Task RestartAsync(Action meanwhile) => RestartAsync(() =>
    {
        meanwhile();
        return Task.CompletedTask;
    });

    private async Task RestartAsync(Func<Task> meanwhile)
    {
        await _node.DisposeAsync();
        await meanwhile();
        _node = await TestNode.StartAsync(_folder.Database);
    }

    private async Task AppendAsync(int count, int amount)
    {
        var stream = new StreamId("counter", "a");
        var command = CommandId.New(TimeProvider.System);
        var codec = new JsonEventCodec(TestNode.Types);
        var metadata = new EventMetadata(command).ToJson();
        var events = Enumerable.Range(0, count).Select(i => codec.Encode(EventId.Derive(command, stream, i), new Added(amount), metadata)).ToList();
        Assert.IsType<AppendOutcome.Appended>(Assert.Single(await _node.Log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, events)], CancellationToken.None)));
    }

    private sealed record CounterState(int Total, int Version, long Position);
}
