using System.Globalization;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>
/// The first call to an entity that is not in memory, one after the other: from the log, from a snapshot (one every 500 events) where the stream is long enough to have one, and for comparison an
/// entity that nothing happened to.
/// </summary>
/// <param name="events">How long each stream is.</param>
internal sealed class ColdCase(int events) : ICase
{
    public const string Replayed = Contenders.Ours;
    public const string FromSnapshot = Contenders.Ours + ", with snapshot";
    public const string Empty = Contenders.Ours + ", no events";
    private const int MaxStreams = 200;

    public string Name => NameOf(events);

    public string Title => $"first call to an entity of {events.ToString("N0", CultureInfo.InvariantCulture)} events that is not in memory";

    public Quantity Ranks => Quantity.P50;

    public static string NameOf(int events) => $"cold-{events.ToString(CultureInfo.InvariantCulture)}";

    public async Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken)
    {
        var streams = new ColdStreams(Name, Math.Clamp(ground.Scale.ColdEvents / events, 1, MaxStreams), events);
        var ours = (Ours)await ground.ContenderAsync(Contenders.Ours, cancellationToken);
        var entrants = new List<Entrant>
        {
            await EntrantAsync(Replayed, ours.Entities, streams, cancellationToken),
            await EntrantAsync(Empty, ours.Entities, streams with { Name = $"{Name}-empty", Events = 0 }, cancellationToken),
        };
        if (events >= KeptTally.SnapshotEvery)
        {
            entrants.Add(await EntrantAsync(FromSnapshot, ours.Kept, streams, cancellationToken));
        }

        foreach (var name in (string[])[Contenders.StateStorage, Contenders.LogStorage, Contenders.Akka])
        {
            entrants.Add(await EntrantAsync(name, (IColdContender)await ground.ContenderAsync(name, cancellationToken), streams, cancellationToken));
        }

        return entrants;
    }

    private static async Task<Entrant> EntrantAsync(string name, IColdContender contender, ColdStreams streams, CancellationToken cancellationToken)
    {
        await contender.FillAsync(streams, cancellationToken);
        return new Entrant(name, (_, cancel) => contender.ActivateAsync(streams, cancel));
    }
}
