using Fines;
using Fines.Views;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Queries;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>Reads of a view that stands still, each a call of a query grain in the same process and one SQL statement; no row is kept in memory.</summary>
internal sealed class QueryCase : ICase
{
    public const string ByKey = "query-key";
    private const int Callers = 64;
    private const int Fines = 20_000;
    private const int PageRows = 50;
    private static readonly Consistency Eventual = new Consistency.Eventual();
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly Func<FineSilo, int, Func<int, Task>> _reads;

    private QueryCase(string name, string title, Func<FineSilo, int, Func<int, Task>> reads) => (Name, Title, _reads) = (name, title, reads);

    public static QueryCase Key { get; } = new(ByKey, $"a row of fine_summary by its key, {Callers} callers", (silo, fines) =>
    {
        var view = silo.View<FineSummary>();
        return async _ => Check((ViewAnswer<ViewRow?>)await view.GetAsync($"G{Random.Shared.Next(1, fines + 1)}", Eventual), row => row is not null);
    });

    public static QueryCase Page { get; } = new("query-page", $"{PageRows} rows of open_cases, one column filtered and ordered by, {Callers} callers", (silo, _) =>
    {
        var view = silo.View<OpenCase>();
        var query = new RowQuery { Filters = [new RowFilter("outstanding", RowComparison.Less, "40")], SortBy = "outstanding", Descending = true, Limit = PageRows };
        return async _ => Check((ViewAnswer<ViewRows>)await view.ListAsync(query, Eventual), rows => rows.Rows.Count == PageRows);
    });

    public string Name { get; }

    public string Title { get; }

    public Quantity Ranks => Quantity.PerSecond;

    public async Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken)
    {
        var (place, fines) = (await ground.PlaceAsync(cancellationToken), Math.Min(Fines, ground.Scale.Fines));
        await FineLog.FillAsync(place, FineGenerator.Generate(fines), FineLog.InImportOrder, cancellationToken);
        var silo = ground.Owns(await FineSilo.StartAsync(place, withViews: true));
        await silo.CaughtUpAsync(Patience, cancellationToken);
        var read = _reads(silo, fines);
        return [new Entrant(Contenders.Ours, (plan, _) => ClosedLoop.RunAsync(Callers, 1, plan.Time, read))];
    }

    private static void Check<T>(ViewAnswer<T> answer, Predicate<T> isWhole)
    {
        if (!isWhole(answer.Value))
        {
            throw new InvalidOperationException($"A query was answered {answer}.");
        }
    }
}
