using System.Text.Json;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.History;

/// <summary>Snapshots and views against the fold of the log.</summary>
public sealed class FoldVerificationTests
{
    private static readonly Projection<BranchRow> Branches = Projection.Of<BranchRow, AccountEvent, BranchRow.Route>();
    private static readonly EntityFold Fold = EntityFold.Of<Purse, AccountEvent>("account", JsonSerializerOptions.Web);
    private readonly Bank _bank = new();
    private readonly InMemorySnapshotStore _snapshots = new();
    private readonly InMemoryViewStore _views = new(TimeProvider.System);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_snapshot_that_is_the_fold_is_right_at_each_version_and_in_any_spelling()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5), new Deposited(7));
        await KeepAsync(2, """{"money":5,"places":["x"]}""");
        await KeepAsync(3, """{ "places": ["x"], "money": 12 }""");
        var report = await VerifySnapshotsAsync();
        Assert.Empty(report.Findings.Shown);
        Assert.Equal((2L, 0L, 0L), (report.Compared, report.Foreign, report.Unknown));
    }

    [Fact]
    public async Task a_snapshot_that_is_another_state_or_none_is_named_and_the_next_one_still_compared()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5), new Deposited(7));
        await KeepAsync(1, "not JSON");
        await KeepAsync(2, """{"money":6,"places":["x"]}""");
        await KeepAsync(3, """{"money":12,"places":["x"]}""");
        var findings = (await VerifySnapshotsAsync()).Findings.Shown;
        Assert.Equal([1L, 2L], findings.Select(f => f.Version!.Value));
        Assert.All(findings, f => Assert.Equal((FindingKind.SnapshotDiffers, "snapshots", "state", "account/a"), (f.Kind, f.Table, f.Column, f.Stream)));
    }

    [Fact]
    public async Task a_snapshot_of_an_event_that_the_log_has_not_is_found()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        await KeepAsync(1, """{"money":0,"places":["x"]}""", position: 9);
        await KeepAsync(4, """{"money":0,"places":["x"]}""", position: 4);
        Assert.Equal(["position or event_id", "version"], (await VerifySnapshotsAsync()).Findings.Shown.Select(f => f.Column));
    }

    [Fact]
    public async Task snapshots_of_other_logs_and_of_unknown_folds_are_counted_only()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        await KeepAsync(1, "{}", foldVersion: 2);
        await KeepAsync(1, "{}", stream: "weather/sky");
        await _snapshots.WriteAsync(new Snapshot(Guid.CreateVersion7(), new StreamId("account/a"), new StreamVersion(1), new LogPosition(1), new EventId(Guid.CreateVersion7()), 1, "{}"u8.ToArray()), Cancel);
        var report = await VerifySnapshotsAsync();
        Assert.Empty(report.Findings.Shown);
        Assert.Equal((0L, 1L, 2L), (report.Compared, report.Foreign, report.Unknown));
    }

    [Fact]
    public async Task a_stream_that_cannot_be_folded_is_a_finding()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Cursed());
        await KeepAsync(2, "{}");
        Assert.Equal(FindingKind.Unreadable, Assert.Single((await VerifySnapshotsAsync()).Findings.Shown).Kind);
    }

    [Fact]
    public async Task a_view_that_lags_is_compared_where_it_stands_and_that_is_said()
    {
        await _bank.LiveAsync(seed: 1, commits: 50);
        await ToHeadAsync(Slice.Whole);
        var reached = (await _bank.Log.ReadHeadAsync(Cancel)).Position;
        await _bank.LiveAsync(seed: 2, commits: 20);
        var report = await VerifyViewAsync();
        Assert.Empty(report.Findings.Shown);
        Assert.Equal((reached, (await _bank.Log.ReadHeadAsync(Cancel)).Position.Value - reached.Value), (report.Position!.Value, report.Behind));
        Assert.True(report.Rows > 0);
    }

    [Fact]
    public async Task slices_that_stand_at_different_places_are_each_compared_there()
    {
        const int Count = 3;
        var positions = new List<LogPosition>();
        for (var i = 0; i < Count; i++)
        {
            await _bank.LiveAsync(seed: 10 + i, commits: 20);
            await ToHeadAsync(new Slice(i, Count));
            positions.Add((await _bank.Log.ReadHeadAsync(Cancel)).Position);
        }

        var report = await VerifyViewAsync();
        Assert.Empty(report.Findings.Shown);
        Assert.Equal(positions[0], report.Position);

        var (key, row) = _views.Table<BranchRow>() is InMemoryViewTable<BranchRow> table ? table.Rows.First() : throw new InvalidOperationException();
        var slice = Slice.Of(key, Count);
        var at = positions[slice.Index];
        Assert.True(await _views.Table<BranchRow>().CommitAsync(new ViewCommit<BranchRow>(slice, 1, at, at, [new(key, row.Row with { Balance = -1 }, row.Position)], []), Cancel));
        var finding = Assert.Single((await VerifyViewAsync()).Findings.Shown);
        Assert.Equal((FindingKind.ViewDiffers, Branches.View.Table, $"key {key}"), (finding.Kind, finding.Table, finding.Row));
        Assert.Contains("Balance = -1", finding.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_view_without_a_table_is_said_and_a_log_that_it_cannot_fold_is_a_finding()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        Assert.Null((await VerifyViewAsync()).Position);

        await ToHeadAsync(Slice.Whole);
        var empty = new InMemoryEventLog(TimeProvider.System);
        var report = await ViewVerification.Of(Branches).RunAsync(_views, empty, _bank.Codec, TimeProvider.System, Cancel);
        Assert.Equal(FindingKind.Unreadable, Assert.Single(report.Findings.Shown).Kind);
    }

    private Task<ViewVerificationReport> VerifyViewAsync() => ViewVerification.Of(Branches).RunAsync(_views, _bank.Log, _bank.Codec, TimeProvider.System, Cancel);

    private Task<SnapshotVerificationReport> VerifySnapshotsAsync() => new SnapshotVerification(_bank.Log, _snapshots, _bank.Codec, [Fold]).RunAsync(Cancel);

    private async Task KeepAsync(int version, string state, string stream = "account/a", int foldVersion = 1, long? position = null)
    {
        var e = (await _bank.Log.ReadStreamsAsync([new StreamRead(new StreamId("account/a"), StreamVersion.None, 100)], Cancel))[0].FirstOrDefault(e => e.Version.Value == version);
        await _snapshots.WriteAsync(
            new Snapshot((await _bank.Log.ReadHeadAsync(Cancel)).LogId, new StreamId(stream), new StreamVersion(version), new LogPosition(position ?? e!.Position.Value), e?.Id ?? new EventId(Guid.CreateVersion7()), foldVersion, System.Text.Encoding.UTF8.GetBytes(state)),
            Cancel);
    }

    private async Task ToHeadAsync(Slice slice)
    {
        var runner = _bank.Runner(Branches, _views.Table<BranchRow>(), slice);
        while (await runner.StepAsync(CancellationToken.None) is not ProjectionStep.AtHead)
        {
            // On to the head.
        }
    }

    [FoldVersion(1)]
    internal sealed record Purse(int Money, IReadOnlyList<string> Places) : IFold<Purse, AccountEvent>
    {
        public static Purse Initial { get; } = new(0, []);

        public static Purse Evolve(Purse state, AccountEvent @event) => @event switch
        {
            Opened opened => state with { Places = [.. state.Places, opened.Branch] },
            Deposited deposited => state with { Money = state.Money + deposited.Amount },
            Closed => state,
            _ => throw new InvalidOperationException("cursed"),
        };
    }
}
