using System.Globalization;
using Fines;
using Fines.Views;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Queries;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>A command, and the view's row that shows it: the round trip of a user who looks at what he did.</summary>
internal sealed class ReadYourWritesCase : ICase
{
    private const int Fines = 1_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public string Name => "read-your-writes";

    public string Title => "a payment and a read of its fine's row that shows it";

    public Quantity Ranks => Quantity.P50;

    public async Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken)
    {
        var silo = ground.Owns(await FineSilo.StartAsync(await ground.PlaceAsync(cancellationToken), withViews: true));
        await silo.IssueAsync(Fines, cancellationToken);
        return [.. new[] { 1, 64 }.Select(callers => new Entrant(
            $"{Contenders.Ours}, {callers.ToString(CultureInfo.InvariantCulture)} caller(s)", (plan, _) => ClosedLoop.RunAsync(callers, 1, plan.Time, n => WriteAndReadAsync(silo, FineSilo.KeyOf(n)))))];
    }

    private static async Task WriteAndReadAsync(FineSilo silo, string fine)
    {
        var paid = (Accepted<FineEvent>)await silo.Grains.GetGrain<IFineGrain>(fine).ExecuteAsync(new RegisterPayment(DateTimeOffset.UnixEpoch.AddYears(41), 0.01m));
        _ = (ViewAnswer<ViewRow?>)await silo.View<FineSummary>().GetAsync(fine, new Consistency.AtLeast(paid.Position, Patience));
    }
}
