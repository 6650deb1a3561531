using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>By how much the whole database grows, an event, indexes and dead rows included, under appends of some callers; what a vacuum frees later for other rows is not taken off.</summary>
internal sealed class StorageCase : ICase
{
    private const int Callers = 128;

    public string Name => "storage";

    public string Title => $"bytes by which the database grows, an event, {Callers} callers";

    public Quantity Ranks => Quantity.StoredPerEvent;

    public async Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken)
    {
        var entrants = new List<Entrant>();
        foreach (var name in (string[])[Contenders.Ours, Contenders.StateStorage, Contenders.LogStorage, Contenders.Akka, Contenders.Copy])
        {
            var contender = await ground.ContenderAsync(name, cancellationToken);
            entrants.Add(new Entrant(name, (plan, cancel) => MeasureAsync(contender, plan, cancel)));
        }

        return entrants;
    }

    private async Task<Round> MeasureAsync(IContender contender, RoundPlan plan, CancellationToken cancellationToken)
    {
        var before = await contender.StoredBytesAsync(cancellationToken);
        var round = await contender.AppendAsync(new AppendLoad($"{Name}-{plan.Number}", Callers, 1, OneEntity: false, plan.Time), cancellationToken);
        var grown = await contender.StoredBytesAsync(cancellationToken) - before;
        return Round.Of((Quantity.StoredPerEvent, grown / (double)round.Events));
    }
}
