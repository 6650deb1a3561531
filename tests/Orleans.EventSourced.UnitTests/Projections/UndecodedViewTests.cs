using System.Text;
using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Projections;

/// <summary>Views that read events as the log holds them, whatever their type.</summary>
public sealed class UndecodedViewTests
{
    private static readonly Projection<SeenRow> Seen = Projection.Of<SeenRow, RecordedEvent>();
    private static readonly Projection<StreamCount> Counts = Projection.Of<StreamCount, RecordedEvent, StreamCount.Route>();
    private readonly Bank _bank = new();

    [Fact]
    public async Task neither_an_unknown_type_nor_an_unreadable_payload_stops_a_view_of_recorded_events_as_they_stop_others()
    {
        await StrangeAsync();
        var (seen, counts) = (new InMemoryViewTable<SeenRow>(), new InMemoryViewTable<StreamCount>());
        Assert.Equal(new LogPosition(5), await ToHeadAsync(_bank.Runner(Seen, seen)));
        Assert.Equal(new LogPosition(5), await ToHeadAsync(_bank.Runner(Counts, counts)));
        Assert.Equal(["account-opened", "from-the-future", "account-deposited", "account-deposited", "weather-changed"], seen.Rows.Values.OrderBy(r => r.Position).Select(r => r.Row.Type));
        Assert.Equal([new("account", new StreamCount(4)), new("weather", new StreamCount(1))], counts.Rows.OrderBy(r => r.Key).Select(r => KeyValuePair.Create(r.Key, r.Value.Row)));

        var others = _bank.Runner(Projection.Of<AccountRow, AccountEvent>(), new InMemoryViewTable<AccountRow>());
        Assert.IsType<ProjectionStep.Advanced>(await others.StepAsync(default));
        Assert.IsType<ProjectionStep.Unknown>(await others.StepAsync(default));
    }

    [Fact]
    public async Task it_is_compared_and_overlaid_as_others_are()
    {
        await StrangeAsync();
        var table = new InMemoryViewTable<SeenRow>();
        await ToHeadAsync(_bank.Runner(Seen, table));
        Assert.True((await ViewComparison.RunAsync(Seen, 1, [], PoisonPolicy.Stop, table, _bank.Tail(), TimeProvider.System, default)) is { IsEqual: true, Rows: 5 });

        await AppendAsync("from-the-future", "{}");
        var last = (await _bank.Log.ReadLogAsync(new LogPosition(5), 1, default))[0];
        var overlay = new ViewOverlay<SeenRow>(Seen, table, table, _bank.Tail(), 1);
        var read = await overlay.ReadAsync(last.Id.ToString(), _ => Task.FromResult<IReadOnlyList<OwnEvents>>([new OwnEvents(last.Stream, last.Version, last.Version)]), default);
        Assert.Equal((new SeenRow("from-the-future", 5), true), (read!.Row!.Row, read.IsPending));
    }

    [Fact]
    public async Task the_past_has_it_as_it_was_and_a_branch_as_its_edits_make_it()
    {
        await StrangeAsync();
        var past = new PastViews(_bank.Log, _bank.Codec, new HistoryOptions { PageEvents = 2 }, new InlineWorker());
        var then = await past.FoldAsync(Seen, [], PoisonPolicy.Stop, await past.LocateAsync(new PointInTime.AtPosition(new LogPosition(3)), default), null, default);
        Assert.Equal(3, then.Rows.Count);

        var stream = new StreamId("account", "a");
        BranchEdit[] edits = [new BranchEdit.Drop(stream, new StreamVersion(1)), new BranchEdit.Insert(stream, new StreamVersion(4), "account-closed", JsonSerializer.SerializeToElement(new { }))];
        var branch = new Branch(new BranchDefinition("b", new LogPosition(5), edits, [], "to see", null), new BranchCatalog([], []), _bank.Log, _bank.Codec, new HistoryOptions { PageEvents = 2 }, new InlineWorker());
        var view = await branch.FoldAsync(Seen, [], PoisonPolicy.Stop, null, default);
        var ids = (await _bank.Log.ReadLogAsync(LogPosition.Start, 5, default)).Select(e => e.Id.ToString()).ToList();
        Assert.Null(view.Find(ids[0]).Row);
        Assert.Equal([1, 2, 3], ids[1..4].Select(id => view.Find(id).Row!.Row.Version));
        Assert.Equal(new SeenRow("account-closed", 4), Assert.Single(view.Read((_, rows) => rows.Rows.Where(r => !ids.Contains(r.Key)).ToList())).Row);

        Assert.IsType<AppendOutcome.Appended>(await branch.AppendAsync(Request("from-the-future", "{}"), TimeProvider.System.GetUtcNow(), default));
        Assert.Equal([4, 5], view.Read((_, rows) => rows.Rows.Where(r => !ids.Contains(r.Key)).Select(r => r.Row.Version).Order().ToList()));
    }

    private static async Task<LogPosition> ToHeadAsync<TRow>(ProjectionRunner<TRow> runner)
        where TRow : class
    {
        while (true)
        {
            switch (await runner.StepAsync(default))
            {
                case ProjectionStep.AtHead(var position):
                    return position;
                case ProjectionStep.Advanced:
                    break;
                case var other:
                    throw new InvalidOperationException($"{other}");
            }
        }
    }

    /// <summary>An account with an event of a type that nobody knows, and one whose payload does not fit its class.</summary>
    private async Task StrangeAsync()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        await AppendAsync("from-the-future", "{\"flux\":true}");
        await AppendAsync("account-deposited", "{\"amount\":\"a lot\"}");
        await _bank.AppendAsync("a", new Deposited(5));
        await _bank.AppendAsync("sky", "weather", new WeatherChanged());
    }

    private Task AppendAsync(string type, string data) => _bank.Log.AppendAsync([Request(type, data)], CancellationToken.None);

    private static AppendRequest Request(string type, string data)
    {
        var (stream, command) = (new StreamId("account", "a"), CommandId.New(TimeProvider.System));
        return new AppendRequest(stream, ExpectedVersion.Any, [new NewEvent(EventId.Derive(command, stream, 0), type, 1, Encoding.UTF8.GetBytes(data), new EventMetadata(command).ToJson())]);
    }
}

/// <summary>One row an event.</summary>
[View("seen")]
internal sealed record SeenRow(string Type, int Version) : IView<SeenRow, RecordedEvent>
{
    public static string? KeyOf(ViewEvent<RecordedEvent> e) => e.Recorded.Id.ToString();

    public static SeenRow? Apply(SeenRow? row, string key, ViewEvent<RecordedEvent> e) => new(e.Event.Type, e.Event.Version.Value);
}

/// <summary>One row a type of streams: how many events they have.</summary>
[View("stream_count")]
internal sealed record StreamCount(int Events) : IRoutedView<StreamCount, RecordedEvent, StreamCount.Route>
{
    internal sealed record Route(string Type);

    public static Route? Follow(Route? route, ViewEvent<RecordedEvent> e) => new(e.Event.Stream.Type);

    public static string? KeyOf(Route route) => route.Type;

    public static StreamCount? Apply(StreamCount? row, string key, Route? before, Route after, ViewEvent<RecordedEvent> e) => new((row?.Events ?? 0) + 1);
}
