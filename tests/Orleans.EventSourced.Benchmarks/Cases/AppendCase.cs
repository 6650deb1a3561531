using System.Globalization;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>Durable appends by callers of whom each sends one command after the other.</summary>
/// <param name="Name">The case.</param>
/// <param name="Title">What it is.</param>
/// <param name="Callers">How many callers.</param>
/// <param name="EventsPerCommand">How many events a command makes.</param>
/// <param name="OneEntity">Whether all send to one entity, else each to its own.</param>
/// <param name="Who">The contenders, ours first.</param>
internal sealed record AppendCase(string Name, string Title, int Callers, int EventsPerCommand, bool OneEntity, IReadOnlyList<string> Who) : ICase
{
    private const int SomeCallers = 128;

    public static AppendCase TenEvents { get; } = new(
        "append-10-events", $"10 events a command, {SomeCallers} callers, each on its own entity", SomeCallers, 10, OneEntity: false,
        [Contenders.Ours, Contenders.StateStorage, Contenders.LogStorage, Contenders.Akka, Contenders.Copy]);

    public static AppendCase HotEntity { get; } = new(
        "hot-entity", $"one event a command, {SomeCallers} callers on one entity", SomeCallers, 1, OneEntity: true,
        [Contenders.Ours, Contenders.StateStorage, Contenders.LogStorage, Contenders.Akka]);

    public Quantity Ranks => Quantity.PerSecond;

    public static string NameOf(int callers) => $"append-{callers.ToString(CultureInfo.InvariantCulture)}";

    public static AppendCase ToDistinctEntities(int callers) => new(
        NameOf(callers), $"one event a command, {callers.ToString("N0", CultureInfo.InvariantCulture)} caller(s), each on its own entity", callers, 1, OneEntity: false,
        [Contenders.Ours, Contenders.StateStorage, Contenders.LogStorage, Contenders.Akka, .. callers == 1 ? [Contenders.Insert1] : Array.Empty<string>(), Contenders.Insert32, Contenders.Copy]);

    /// <summary>The case without peers, beside the references that bound it.</summary>
    public AppendCase Alone() => this with { Who = [Contenders.Ours, Contenders.Insert1, Contenders.Insert32, Contenders.Copy] };

    public async Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken)
    {
        var entrants = new List<Entrant>();
        foreach (var name in Who)
        {
            var contender = await ground.ContenderAsync(name, cancellationToken);
            entrants.Add(new Entrant(name, (plan, cancel) => contender.AppendAsync(new AppendLoad($"{Name}-{plan.Number}", Callers, EventsPerCommand, OneEntity, plan.Time), cancel)));
        }

        return entrants;
    }
}
