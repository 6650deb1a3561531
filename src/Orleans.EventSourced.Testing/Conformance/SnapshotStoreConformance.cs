using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Xunit;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Conformance;

/// <summary>What every <see cref="ISnapshotStore"/> does, one fact a behaviour. A store's tests derive from it and say how a store is opened.</summary>
public abstract class SnapshotStoreConformance
{
    private static readonly Guid Log = Guid.Parse("0190a5c8-7d3e-7c11-8f4a-2b6d9e01c355");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Opens a store; it may hold snapshots already. Whoever derives closes it after the fact.</summary>
    protected abstract Task<ISnapshotStore> OpenAsync();

#pragma warning disable CS1591 // The name of a fact is its documentation.
    [Fact]
    public async Task a_snapshot_comes_back_as_it_was_written()
    {
        var store = await OpenAsync();
        var written = At(NewStream("schlüssel/😀"), 7, "{ \"ä\" : 1.0 }");

        await store.WriteAsync(written, Token);

        AssertSame(written, await store.ReadLatestAsync(Log, written.Stream, 1, null, Token));
    }

    [Fact]
    public async Task a_stream_without_snapshots_has_none()
    {
        var store = await OpenAsync();

        Assert.Null(await store.ReadLatestAsync(Log, NewStream(), 1, null, Token));
    }

    [Fact]
    public async Task the_newest_snapshot_is_read_whatever_the_order_of_writing()
    {
        var store = await OpenAsync();
        var stream = NewStream();
        foreach (var version in new[] { 20, 100, 9 })
        {
            await store.WriteAsync(At(stream, version), Token);
        }

        Assert.Equal(100, (await store.ReadLatestAsync(Log, stream, 1, null, Token))?.Version.Value);
    }

    [Theory]
    [InlineData(100, 100)]
    [InlineData(99, 20)]
    [InlineData(20, 20)]
    [InlineData(9, 9)]
    [InlineData(8, null)]
    [InlineData(int.MaxValue, 100)]
    public async Task a_snapshot_at_or_before_a_version_is_read(int upTo, int? found)
    {
        var store = await OpenAsync();
        var stream = NewStream();
        foreach (var version in new[] { 9, 20, 100 })
        {
            await store.WriteAsync(At(stream, version), Token);
        }

        Assert.Equal(found, (await store.ReadLatestAsync(Log, stream, 1, new StreamVersion(upTo), Token))?.Version.Value);
    }

    [Fact]
    public async Task a_snapshot_of_another_fold_is_not_read()
    {
        var store = await OpenAsync();
        var stream = NewStream();
        await store.WriteAsync(At(stream, 5, "\"old\""), Token);
        await store.WriteAsync(At(stream, 3, "\"new\"") with { FoldVersion = 2 }, Token);

        Assert.Equal(3, (await store.ReadLatestAsync(Log, stream, 2, null, Token))?.Version.Value);
        Assert.Equal(5, (await store.ReadLatestAsync(Log, stream, 1, null, Token))?.Version.Value);
        Assert.Null(await store.ReadLatestAsync(Log, stream, 3, null, Token));
    }

    [Fact]
    public async Task a_snapshot_of_another_log_is_not_read()
    {
        var store = await OpenAsync();
        var other = Guid.Parse("0190a5c8-7d3e-7c11-8f4a-2b6d9e01c356");
        var own = At(NewStream(), 5, "\"own\"");
        var foreign = own with { LogId = other, State = "\"foreign\""u8.ToArray() };
        await store.WriteAsync(foreign, Token);
        Assert.Null(await store.ReadLatestAsync(Log, own.Stream, 1, null, Token));

        await store.WriteAsync(own, Token);
        AssertSame(own, await store.ReadLatestAsync(Log, own.Stream, 1, null, Token));
        AssertSame(foreign, await store.ReadLatestAsync(other, own.Stream, 1, null, Token));
    }

    [Fact]
    public async Task only_the_newest_snapshots_of_a_stream_are_kept()
    {
        var store = await OpenAsync();
        var (stream, other) = (NewStream(), NewStream());
        await store.WriteAsync(At(other, 1), Token);
        await store.WriteAsync(At(stream, 1) with { FoldVersion = 2 }, Token);
        const int Last = ISnapshotStore.MaxPerStream + 2;
        foreach (var version in Enumerable.Range(2, Last - 1).Append(1))
        {
            await store.WriteAsync(At(stream, version), Token);
        }

        const int Oldest = Last - ISnapshotStore.MaxPerStream + 1;
        Assert.Equal(Oldest, (await store.ReadLatestAsync(Log, stream, 1, new StreamVersion(Oldest), Token))?.Version.Value);
        Assert.Null(await store.ReadLatestAsync(Log, stream, 1, new StreamVersion(Oldest - 1), Token));
        Assert.NotNull(await store.ReadLatestAsync(Log, stream, 2, null, Token));
        Assert.NotNull(await store.ReadLatestAsync(Log, other, 1, null, Token));
    }

    [Fact]
    public async Task deleted_snapshots_are_gone_and_others_stay()
    {
        var store = await OpenAsync();
        var (stream, other) = (NewStream(), NewStream());
        foreach (var snapshot in (Snapshot[])[At(stream, 5), At(stream, 9), At(stream, 5) with { FoldVersion = 2 }, At(other, 5)])
        {
            await store.WriteAsync(snapshot, Token);
        }

        await store.DeleteAsync(Log, stream, 1, Token);

        Assert.Null(await store.ReadLatestAsync(Log, stream, 1, null, Token));
        Assert.NotNull(await store.ReadLatestAsync(Log, stream, 2, null, Token));
        Assert.NotNull(await store.ReadLatestAsync(Log, other, 1, null, Token));
    }

    [Fact]
    public async Task a_snapshot_that_is_there_stays_as_it_is()
    {
        var store = await OpenAsync();
        var first = At(NewStream(), 5, "\"first\"");
        await store.WriteAsync(first, Token);

        await store.WriteAsync(first with { State = "\"second\""u8.ToArray() }, Token);

        AssertSame(first, await store.ReadLatestAsync(Log, first.Stream, 1, null, Token));
    }

    [Fact]
    public async Task a_large_state_comes_back()
    {
        var store = await OpenAsync();
        var written = At(NewStream(), 1, $"\"{new string('x', 4 * 1024 * 1024)}\"");

        await store.WriteAsync(written, Token);

        AssertSame(written, await store.ReadLatestAsync(Log, written.Stream, 1, null, Token));
    }

    [Fact]
    public async Task all_snapshots_are_listed_page_by_page_as_they_were_written()
    {
        var store = await OpenAsync();
        var (stream, other) = (NewStream(), NewStream("schlüssel/😀"));
        Snapshot[] written = [At(stream, 5, "{ }"), At(stream, 9), At(stream, 5) with { FoldVersion = 2 }, At(other, 5), At(stream, 5) with { LogId = Guid.Parse("0190a5c8-7d3e-7c11-8f4a-2b6d9e01c354") }];
        foreach (var snapshot in written)
        {
            await store.WriteAsync(snapshot, Token);
        }

        var listed = new List<SnapshotRow>();
        for (IReadOnlyList<SnapshotRow> page = []; (page = await store.ListAsync(page.Count == 0 ? null : page[^1], 2, Token)).Count > 0;)
        {
            Assert.InRange(page.Count, 1, 2);
            listed.AddRange(page);
        }

        Assert.Equal(listed.Count, listed.DistinctBy(r => (r.LogId, r.Stream, r.FoldVersion, r.Version)).Count());
        Assert.Equal([5, 9], listed.Where(r => r.LogId == Log && r.Stream == stream.Value && r.FoldVersion == 1).Select(r => r.Version));
        foreach (var s in written)
        {
            var row = Assert.Single(listed, r => (r.LogId, r.Stream, r.FoldVersion, r.Version) == (s.LogId, s.Stream.Value, s.FoldVersion, s.Version.Value));
            Assert.Equal((s.Position.Value, s.EventId.Value), (row.Position, row.EventId));
            Assert.Equal(s.State.ToArray(), row.State.ToArray());
        }
    }

    [Fact]
    public async Task writers_and_readers_may_work_at_the_same_time()
    {
        var store = await OpenAsync();
        var stream = NewStream();

        await Task.WhenAll(Enumerable.Range(1, 100).Select(v => Task.Run(async () =>
        {
            await store.WriteAsync(At(stream, v), Token);
            Assert.True((await store.ReadLatestAsync(Log, stream, 1, null, Token))?.Version.Value >= v);
        })));

        Assert.Equal(100, (await store.ReadLatestAsync(Log, stream, 1, null, Token))?.Version.Value);
    }
#pragma warning restore CS1591

    private static StreamId NewStream(string key = "1") => new($"conformance-{CommandId.New(TimeProvider.System).Value:N}", key);

    private static Snapshot At(StreamId stream, int version, string state = "{}") =>
        new(Log, stream, new StreamVersion(version), new LogPosition(version * 10L), EventId.Derive(CommandId.FromText("conformance"), stream, version), 1, Encoding.UTF8.GetBytes(state));

    private static void AssertSame(Snapshot expected, Snapshot? actual)
    {
        Assert.NotNull(actual);
        Assert.Equal(expected with { State = default }, actual with { State = default });
        Assert.Equal(expected.State.ToArray(), actual.State.ToArray());
    }
}
