using Fines;
using Fines.Views;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Fines;

/// <summary>The example's views say what the fines themselves say.</summary>
public sealed class FineViewsTests
{
    private static readonly DateTimeOffset Day = new(2010, 3, 31, 23, 30, 0, TimeSpan.FromHours(2));
    private readonly InMemoryEventLog _log = new(TimeProvider.System);
    private readonly JsonEventCodec _codec = new(FineEventTypes.Map);
    private readonly Dictionary<string, Fine> _fines = new(StringComparer.Ordinal);

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task every_view_holds_what_the_fold_of_each_fine_gives(int slices)
    {
        foreach (var trace in FineGenerator.Generate(400))
        {
            await LiveAsync(trace.FineId, [.. trace.Steps.Select(s => s.Command)]);
        }

        var summaries = await FoldAsync(Projection.Of<FineSummary, FineEvent>(), slices);
        Assert.Equal(_fines.Count, summaries.Count);
        Assert.All(_fines, f => Assert.Equal(
            (f.Value.Due, f.Value.Paid, f.Value.Outstanding, f.Value.Settled, f.Value.Penalty, f.Value.NotifiedAt, f.Value.CreditCollectionAt, f.Value.Dismissal, f.Value.Payments, f.Value.Appeals),
            summaries[f.Key] is var s ? (s.Due, s.Paid, s.Outstanding, s.Settled, s.Penalty, s.NotifiedAt, s.CreditCollectionAt, s.Dismissal, s.Payments, s.Appeals) : default));

        var articles = await FoldAsync(Projection.Of<ArticleTotals, FineEvent, FineAccount>(), slices);
        Assert.Equal(_fines.Values.Select(f => f.Article).Distinct().Order(), articles.Values.Select(a => a.Article).Order());
        Assert.All(articles, a => Assert.Equal(Sums(_fines.Values.Where(f => $"{f.Article}" == a.Key)), Sums(a.Value)));

        var months = await FoldAsync(Projection.Of<OfficerMonth, FineEvent, FineAccount>(), slices);
        Assert.All(months, m => Assert.Equal(Sums(_fines.Values.Where(f => $"{f.Officer}/{f.IssuedAt:yyyy-MM}" == m.Key)), Sums(m.Value)));
        Assert.Equal(_fines.Count, months.Values.Sum(m => m.Fines));

        var open = await FoldAsync(Projection.Of<OpenCase, FineEvent, OpenCase.Case>(), slices);
        Assert.Equal(_fines.Where(f => !f.Value.Settled).Select(f => f.Key).Order(StringComparer.Ordinal), open.Keys.Order(StringComparer.Ordinal));
        Assert.All(open, o => Assert.Equal((_fines[o.Key].Outstanding, _fines[o.Key].LastOccurredAt, _fines[o.Key].CreditCollectionAt is not null), (o.Value.Outstanding, o.Value.LastOccurredAt, o.Value.InCreditCollection)));
    }

    [Fact]
    public async Task a_settled_fine_leaves_the_open_cases_and_comes_back_with_a_penalty()
    {
        var projection = Projection.Of<OpenCase, FineEvent, OpenCase.Case>();
        await LiveAsync("A1", [new IssueFine(Day, 20, 7, 0, "A", "537", "NIL"), new RegisterPayment(Day, 20)]);
        Assert.Empty(await FoldAsync(projection, 1));
        await LiveAsync("A1", [new AddPenalty(Day, 50)]);
        Assert.Equal(30, (await FoldAsync(projection, 1))["A1"].Outstanding);
    }

    [Fact]
    public async Task the_month_of_issue_is_that_of_the_citys_calendar()
    {
        await LiveAsync("A1", [new IssueFine(Day.AddHours(0.25), 20, 7, 0, "A", "537", "NIL")]);
        Assert.Equal("537/2010-03", Assert.Single(await FoldAsync(Projection.Of<OfficerMonth, FineEvent, FineAccount>(), 1)).Key);
    }

    private static (int Fines, decimal Amount, decimal Penalties, decimal Expenses, decimal Due, decimal Paid, decimal Outstanding, decimal OverpaidSum, int Open, int Settled, int Overpaid, int CreditCollection) Sums(IEnumerable<Fine> fines)
    {
        var of = fines.ToList();
        return (of.Count, of.Sum(f => f.Amount), of.Sum(f => f.Penalty ?? 0), of.Sum(f => f.Expenses), of.Sum(f => f.Due), of.Sum(f => f.Paid), of.Sum(f => Math.Max(0, f.Outstanding)), of.Sum(f => Math.Max(0, -f.Outstanding)),
            of.Count(f => f.Outstanding > 0), of.Count(f => f.Settled), of.Count(f => f.Outstanding < 0), of.Count(f => f.CreditCollectionAt is not null));
    }

    private static (int, decimal, decimal, decimal, decimal, decimal, decimal, decimal, int, int, int, int) Sums(ArticleTotals a) =>
        (a.Fines, a.Amount, a.Penalties, a.Expenses, a.Due, a.Paid, a.Outstanding, a.OverpaidSum, a.Open, a.Settled, a.Overpaid, a.CreditCollection);

    private static (int, decimal, decimal, decimal, decimal, decimal, decimal, decimal, int, int, int, int) Sums(OfficerMonth m) =>
        (m.Fines, m.Amount, m.Penalties, m.Expenses, m.Due, m.Paid, m.Outstanding, m.OverpaidSum, m.Open, m.Settled, m.Overpaid, m.CreditCollection);

    private async Task LiveAsync(string id, FineCommand[] commands)
    {
        var stream = new StreamId("fine", id);
        foreach (var command in commands)
        {
            var fine = _fines.GetValueOrDefault(id, Fine.Initial);
            var e = Assert.Single(Assert.IsType<Decision<FineEvent>.Accept>(Fine.Decide(fine, command)).Events);
            _fines[id] = Fine.Evolve(fine, e);
            var name = CommandId.New(TimeProvider.System);
            await _log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [_codec.Encode(EventId.Derive(name, stream, 0), e, new EventMetadata(name).ToJson())])], CancellationToken.None);
        }
    }

    private async Task<Dictionary<string, TRow>> FoldAsync<TRow>(Projection<TRow> projection, int slices)
        where TRow : class
    {
        var table = new InMemoryViewTable<TRow>();
        var tail = new LogTail(_log, _codec, new LogTailOptions { PageEvents = 97 }, TimeProvider.System);
        for (var i = 0; i < slices; i++)
        {
            var runner = new ProjectionRunner<TRow>(projection, new Slice(i, slices), table, tail);
            while (await runner.StepAsync(CancellationToken.None) is var step and not ProjectionStep.AtHead)
            {
                Assert.IsType<ProjectionStep.Advanced>(step);
            }
        }

        return table.Rows.ToDictionary(r => r.Key, r => r.Value.Row, StringComparer.Ordinal);
    }
}
