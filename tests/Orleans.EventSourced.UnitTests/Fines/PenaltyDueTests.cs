using System.Globalization;
using Fines;
using Fines.Views;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Fines;

/// <summary>Which fines get a penalty at the end of their term.</summary>
public sealed class PenaltyDueTests
{
    private static readonly DateTimeOffset Day = new(2026, 3, 1, 0, 0, 0, TimeSpan.FromHours(1));
    private static readonly DateTimeOffset Notified = Day.AddDays(10);
    private static readonly DateTimeOffset Due = Notified.AddDays(60);
    private readonly InMemoryEventLog _log = new(TimeProvider.System);
    private readonly JsonEventCodec _codec = new(FineEventTypes.Map);

    [Fact]
    public async Task a_notified_fine_has_until_sixty_days_later_and_twice_its_first_amount_to_pay_then()
    {
        var row = await RowAsync(Issue, new SendFine(Day, 10), Notify);
        Assert.Equal((Due, 70m, Notified), (row!.DueAt, row.Penalty, row.LastOccurredAt));
        Assert.Null(await RowAsync(Issue, new SendFine(Day, 10)));
    }

    [Fact]
    public async Task an_imported_fine_is_left_alone_also_when_it_is_notified_by_hand()
    {
        await AppendAsync("imported", "import", Issue, Notify);
        await AppendAsync("continued", "import", Issue);
        await AppendAsync("continued", "http", Fine(Issue), Notify);
        var (rows, routes) = await FoldAsync();
        Assert.Empty(rows);
        Assert.Equal(0, routes);
    }

    [Fact]
    public async Task a_fine_dismissed_when_it_was_made_out_gets_none() => Assert.Null(await RowAsync(Issue with { Dismissal = "G" }, Notify));

    [Fact]
    public async Task a_payment_ends_the_matter_when_it_is_whole_and_in_time()
    {
        Assert.Null(await RowAsync(Issue, Notify, new RegisterPayment(Due, 35)));
        Assert.Equal((Due, 70m, Due), await RowAsync(Issue, Notify, new RegisterPayment(Due, 34.99m)) is { } row ? (row.DueAt, row.Penalty, row.LastOccurredAt) : default);
        Assert.Equal(Due.AddTicks(10), (await RowAsync(Issue, Notify, new RegisterPayment(Due.AddTicks(10), 35)))?.LastOccurredAt);
        Assert.Null(await RowAsync(Issue, Notify, new RegisterPayment(Due, 35), new SendFine(Due.AddDays(1), 10)));
        Assert.NotNull(await RowAsync(Issue, Notify, new RegisterPayment(Day.AddDays(20), 35), new SendFine(Day.AddDays(21), 10)));
    }

    [Fact]
    public async Task a_penalty_or_credit_collection_ends_the_matter_whenever_it_comes()
    {
        Assert.Null(await RowAsync(Issue, Notify, new AddPenalty(Notified, 70)));
        Assert.Null(await RowAsync(Issue, Notify, new AddPenalty(Due.AddDays(5), 70)));
        Assert.Null(await RowAsync(Issue, Notify, new SendToCreditCollection(Due.AddDays(5))));
        Assert.Null(await RowAsync(Issue, Notify, new AddPenalty(Notified, 70), new InsertNotification(Due, "P", null), new SendFine(Due, 3)));
    }

    [Fact]
    public async Task an_appeal_in_time_leaves_the_penalty_to_a_person()
    {
        Assert.Null(await RowAsync(Issue, Notify, new DatePrefectureAppeal(Due)));
        Assert.Null(await RowAsync(Issue, Notify, new SendPrefectureAppeal(Due, "NIL")));
        Assert.Null(await RowAsync(Issue, Notify, new AppealToJudge(Due, "NIL", null, null), new InsertNotification(Due, "P", null)));
        Assert.Null(await RowAsync(Issue, new DatePrefectureAppeal(Day), Notify));
        Assert.NotNull(await RowAsync(Issue, Notify, new DatePrefectureAppeal(Due.AddDays(1))));
    }

    [Fact]
    public async Task a_further_notification_in_time_begins_the_term_again()
    {
        Assert.Equal(Due.AddDays(60), (await RowAsync(Issue, Notify, new InsertNotification(Due, "C", null)))?.DueAt);
        Assert.Equal(Due, (await RowAsync(Issue, Notify, new InsertNotification(Due.AddDays(1), "C", null)))?.DueAt);
    }

    [Theory]
    [InlineData("9999-12-01T00:00:00Z")]
    [InlineData("9999-12-31T23:59:59.9999999Z")]
    [InlineData("9999-12-31T23:59:59.9999999+14:00")]
    [InlineData("9999-12-31T09:59:59.9999999-14:00")]
    public async Task a_notification_at_the_end_of_time_has_the_last_day_as_its_deadline(string at)
    {
        var notified = new NotificationInserted(DateTimeOffset.Parse(at, CultureInfo.InvariantCulture), "P", null);
        await AppendAsync("late", "http", Issue);
        await AppendEventAsync("late", "http", notified);
        Assert.Equal(new DateTimeOffset(9999, 12, 31, 0, 0, 0, TimeSpan.Zero), (await FoldAsync()).Rows["late"].DueAt);
    }

    private static IssueFine Issue => new(Day, 35, 157, 0, "A", "561", "NIL");

    private static InsertNotification Notify => new(Notified, "P", null);

    private static Fine Fine(params FineCommand[] commands) => commands.Aggregate(global::Fines.Fine.Initial, (fine, command) => global::Fines.Fine.Evolve(fine, EventOf(fine, command)));

    private static FineEvent EventOf(Fine fine, FineCommand command) => Assert.Single(Assert.IsType<Decision<FineEvent>.Accept>(global::Fines.Fine.Decide(fine, command)).Events);

    private async Task<PenaltyDue?> RowAsync(params FineCommand[] commands)
    {
        var id = $"A{(await _log.ReadHeadAsync(CancellationToken.None)).Position}";
        await AppendAsync(id, "http", commands);
        return (await FoldAsync()).Rows.GetValueOrDefault(id);
    }

    private Task AppendAsync(string id, string origin, params FineCommand[] commands) => AppendAsync(id, origin, global::Fines.Fine.Initial, commands);

    private async Task AppendAsync(string id, string origin, Fine fine, params FineCommand[] commands)
    {
        foreach (var command in commands)
        {
            var e = EventOf(fine, command);
            fine = global::Fines.Fine.Evolve(fine, e);
            await AppendEventAsync(id, origin, e);
        }
    }

    private async Task AppendEventAsync(string id, string origin, FineEvent e)
    {
        var (stream, name) = (new StreamId("fine", id), CommandId.New(TimeProvider.System));
        await _log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [_codec.Encode(EventId.Derive(name, stream, 0), e, new EventMetadata(name, Origin: origin).ToJson())])], CancellationToken.None);
    }

    private async Task<(Dictionary<string, PenaltyDue> Rows, int Routes)> FoldAsync()
    {
        var table = new InMemoryViewTable<PenaltyDue>();
        var runner = new ProjectionRunner<PenaltyDue>(Projection.Of<PenaltyDue, FineEvent, PenaltyDue.Matter>(), Slice.Whole, table, new LogTail(_log, _codec, new LogTailOptions { PageEvents = 3 }, TimeProvider.System));
        while (await runner.StepAsync(CancellationToken.None) is var step and not ProjectionStep.AtHead)
        {
            Assert.IsType<ProjectionStep.Advanced>(step);
        }

        return (table.Rows.ToDictionary(r => r.Key, r => r.Value.Row, StringComparer.Ordinal), table.Routes);
    }
}
