using CsCheck;
using Fines;
using Orleans.EventSourced.Core.Deciding;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Fines;

public sealed class FineTests
{
    private static readonly DateTimeOffset Day = new(2006, 7, 24, 0, 0, 0, TimeSpan.FromHours(2));
    private static readonly IssueFine Issue = new(Day, 35.00m, 157, 0, "A", "561", "NIL");

    public static TheoryData<string, FineCommand[]> Refusals => new()
    {
        { "already-issued", [Issue, Issue] },
        { "not-issued", [new SendFine(Day, 1)] },
        { "not-issued", [new RegisterPayment(Day, 1)] },
        { "not-issued", [new SendToCreditCollection(Day)] },
        { "negative-amount", [Issue with { Amount = -0.01m }] },
        { "negative-amount", [Issue, new SendFine(Day, -1)] },
        { "negative-amount", [Issue, new AddPenalty(Day, -1)] },
        { "negative-amount", [Issue, new RegisterPayment(Day, -1)] },
        { "money-precision", [Issue with { Amount = 0.001m }] },
        { "amount-too-large", [Issue with { Amount = 10_000_000m }] },
        { "in-credit-collection", [Issue, new SendToCreditCollection(Day), new RegisterPayment(Day, 1)] },
        { "in-credit-collection", [Issue, new SendToCreditCollection(Day), new SendToCreditCollection(Day)] },
        { "penalty-already-added", [Issue, new AddPenalty(Day, 70), new AddPenalty(Day, 70)] },
        { "vehicle-class", [Issue with { VehicleClass = "a" }] },
        { "vehicle-class", [Issue with { VehicleClass = "AB" }] },
        { "vehicle-class", [Issue with { VehicleClass = "" }] },
        { "vehicle-class", [Issue with { VehicleClass = "Ä" }] },
        { "vehicle-class", [Issue with { VehicleClass = null! }] },
        { "out-of-order", [Issue, new SendFine(Day.AddTicks(-1), 1)] },
        { "notification-type", [Issue, new InsertNotification(Day, "X", null)] },
        { "article", [Issue with { Article = 0 }] },
        { "points", [Issue with { Points = -1 }] },
        { "text", [Issue with { Officer = "" }] },
        { "text", [Issue with { Officer = "a\0b" }] },
        { "text", [Issue with { Dismissal = "\ud800" }] },
        { "occurred-at", [Issue with { OccurredAt = default }] },
        { "occurred-at", [Issue, new InsertNotification(new DateTimeOffset(2201, 1, 1, 0, 0, 0, TimeSpan.Zero), "P", null)] },
        { "occurred-at", [Issue, new InsertNotification(DateTimeOffset.MaxValue, "P", null)] },
    };

    public static TheoryData<FineCommand[]> Acceptances => new(
        (FineCommand[])[Issue, new RegisterPayment(Day, 0)],
        (FineCommand[])[Issue with { Amount = 0 }, new RegisterPayment(Day, 5)],
        (FineCommand[])[Issue, new SendToCreditCollection(Day), new DatePrefectureAppeal(Day), new SendPrefectureAppeal(Day, "A"), new AppealToJudge(Day, "NIL", null, null)],
        (FineCommand[])[Issue, new SendFine(Day, 13.5m), new InsertNotification(Day, "C", "P"), new AddPenalty(Day, 71.5m), new RegisterPayment(Day, 85), new RegisterPayment(Day.AddDays(1), 85)],
        (FineCommand[])[Issue, new DatePrefectureAppeal(Day), new SendPrefectureAppeal(Day, "NIL"), new ReceivePrefectureResult(Day), new NotifyPrefectureResult(Day)]);

    [Theory]
    [MemberData(nameof(Refusals))]
    public void the_last_command_is_refused_by_its_code(string code, FineCommand[] commands)
    {
        var given = commands[..^1].Aggregate(Fine.Initial, Run);
        Assert.Equal(code, Assert.IsType<Decision<FineEvent>.Refuse>(Fine.Decide(given, commands[^1])).Code);
    }

    [Theory]
    [MemberData(nameof(Acceptances))]
    public void every_command_is_accepted_with_one_event(FineCommand[] commands) => commands.Aggregate(Fine.Initial, Run);

    [Fact]
    public void what_is_due_is_the_penaltys_amount_and_the_expenses()
    {
        FineCommand[] life = [Issue, new SendFine(Day, 13.50m), new AddPenalty(Day, 71.50m), new RegisterPayment(Day, 80m), new RegisterPayment(Day, 10m)];
        var fine = life.Aggregate(Fine.Initial, Run);
        Assert.Equal((85.00m, 90m, -5.00m, true), (fine.Due, fine.Paid, fine.Outstanding, fine.Settled));
    }

    [Fact]
    public void generated_fines_are_accepted_and_their_balance_adds_up() =>
        Gen.Int.Sample(seed =>
        {
            foreach (var trace in FineGenerator.Generate(20, seed))
            {
                var fine = trace.Steps.Select(s => s.Command).Aggregate(Fine.Initial, Run);
                Assert.Equal(fine.Due - fine.Paid, fine.Outstanding);
                Assert.Equal(fine.Outstanding <= 0, fine.Settled);
            }
        }, iter: 200);

    [Fact]
    public void the_generator_makes_the_same_fines_from_the_same_seed()
    {
        Assert.Equal(FineGenerator.Generate(50, 7).SelectMany(t => t.Steps), FineGenerator.Generate(50, 7).SelectMany(t => t.Steps));
        Assert.NotEqual(FineGenerator.Generate(50, 7).SelectMany(t => t.Steps), FineGenerator.Generate(50, 8).SelectMany(t => t.Steps));
    }

    private static Fine Run(Fine state, FineCommand command) =>
        Assert.Single(Assert.IsType<Decision<FineEvent>.Accept>(Fine.Decide(state, command)).Events) is var e ? Fine.Evolve(state, e) : state;
}
