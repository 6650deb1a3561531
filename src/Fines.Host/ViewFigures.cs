using Fines.Views;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Queries;

namespace Fines.Host;

/// <summary>The figures of all fines as the views have them.</summary>
/// <param name="Position">The position up to which everything is in them.</param>
/// <param name="Fines">How many fines there are.</param>
/// <param name="Created">The sum of the amounts of issue.</param>
/// <param name="Penalties">The sum of the penalties' amounts.</param>
/// <param name="Expenses">The sum of the postal costs.</param>
/// <param name="Due">The sum of what is to be paid.</param>
/// <param name="Paid">The sum of the payments.</param>
/// <param name="Outstanding">The sum of what is still to be paid, over the fines where that is more than 0.</param>
/// <param name="Open">How many those are.</param>
/// <param name="Settled">How many have nothing to be paid any more.</param>
/// <param name="Overpaid">How many of these were paid too much.</param>
/// <param name="OverpaidSum">By how much, together.</param>
/// <param name="CreditCollection">How many went to credit collection.</param>
/// <param name="Articles">How many articles of the traffic code there are fines for.</param>
/// <param name="Officers">How many officers made out fines.</param>
/// <param name="Months">In how many months.</param>
/// <param name="Seconds">How long the views took to come up with the log after the last event was in it.</param>
internal sealed record ViewFigures(
    long Position, int Fines, string Created, string Penalties, string Expenses, string Due, string Paid, string Outstanding, int Open, int Settled, int Overpaid, string OverpaidSum, int CreditCollection,
    int Articles, int Officers, int Months, double Seconds)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>Waits until the views reflect the position, and reads them.</summary>
    /// <exception cref="LogUnavailableException">They did not get there.</exception>
    public static async Task<ViewFigures> ReadAsync(IGrainFactory grains, LogPosition position, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        var articles = await AllAsync<ArticleTotals>(grains, position, cancellationToken);
        var months = await AllAsync<OfficerMonth>(grains, position, cancellationToken);
        await AllAsync<OpenCase>(grains, position, cancellationToken, pages: 1);
        await AllAsync<FineSummary>(grains, position, cancellationToken, pages: 1);
        var seconds = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        return new ViewFigures(
            position.Value,
            articles.Sum(a => a.Fines),
            ImportFigures.Money(articles.Sum(a => a.Amount)),
            ImportFigures.Money(articles.Sum(a => a.Penalties)),
            ImportFigures.Money(articles.Sum(a => a.Expenses)),
            ImportFigures.Money(articles.Sum(a => a.Due)),
            ImportFigures.Money(articles.Sum(a => a.Paid)),
            ImportFigures.Money(articles.Sum(a => a.Outstanding)),
            articles.Sum(a => a.Open),
            articles.Sum(a => a.Settled),
            articles.Sum(a => a.Overpaid),
            ImportFigures.Money(articles.Sum(a => a.OverpaidSum)),
            articles.Sum(a => a.CreditCollection),
            articles.Count,
            months.Select(m => m.Officer).Distinct(StringComparer.Ordinal).Count(),
            months.Select(m => m.Month).Distinct().Count(),
            Math.Round(seconds, 3));
    }

    private static async Task<List<TRow>> AllAsync<TRow>(IGrainFactory grains, LogPosition position, CancellationToken cancellationToken, int pages = int.MaxValue)
    {
        var view = grains.GetGrain<IViewQueryGrain>(ViewId.Of(typeof(TRow)).Name);
        var consistency = new Consistency.AtLeast(position.Value, TimeSpan.FromSeconds(5));
        var started = TimeProvider.System.GetTimestamp();
        var rows = new List<TRow>();
        for (var query = new RowQuery { Limit = RowQuery.MaxLimit }; pages > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            switch (await view.ListAsync(query, consistency))
            {
                case ViewAnswer<ViewRows>(var page, _):
                    rows.AddRange(page.Rows.Select(r => (TRow)r.Row));
                    query = query with { After = page.Next };
                    pages = page.Next is null ? 0 : pages - 1;
                    break;
                case ViewBehind<ViewRows>(var reflects, var head) when TimeProvider.System.GetElapsedTime(started) >= Patience:
                    throw new LogUnavailableException($"View {ViewId.Of(typeof(TRow)).Name} reached position {reflects} of {head} in {Patience}.");
                case ViewBehind<ViewRows>:
                    break;
                case var other:
                    throw new InvalidOperationException($"View {ViewId.Of(typeof(TRow)).Name} answered {other}.");
            }
        }

        return rows;
    }
}
