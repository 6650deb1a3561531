using Fines;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using EventId = Orleans.EventSourced.Core.Events.EventId;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>
/// Logs of fines, written without grains. The events are in the order of an import, which works on many fines at a time, or in the order in which they happened: then those of one fine are far apart,
/// and its row is read and written again and again.
/// </summary>
internal static class FineLog
{
    public const string InImportOrder = "import";
    public const string InTimeOrder = "time";
    private const int BatchEvents = 500;
    private const int FinesAtATime = 1_024;

    /// <summary>Writes the lives of fines into a log; answers where it ends then.</summary>
    public static async Task<LogPosition> FillAsync(Place place, IEnumerable<FineTrace> traces, string order, CancellationToken cancellationToken)
    {
        var log = place.OpenLog();
        await using var closesLog = (IAsyncDisposable)log;
        var codec = new JsonEventCodec(FineEventTypes.Map);
        var batch = new Dictionary<StreamId, AppendRequest>();
        foreach (var (stream, e) in order == InTimeOrder ? traces.SelectMany(Live).OrderBy(e => e.Event.OccurredAt) : Interleaved(traces))
        {
            if (batch.Count == BatchEvents || batch.ContainsKey(stream))
            {
                await log.AppendAsync([.. batch.Values], cancellationToken);
                batch.Clear();
            }

            var command = CommandId.New(TimeProvider.System);
            batch.Add(stream, new AppendRequest(stream, ExpectedVersion.Any, [codec.Encode(EventId.Derive(command, stream, 0), e, new EventMetadata(command).ToJson())]));
        }

        await log.AppendAsync([.. batch.Values], cancellationToken);
        return (await log.ReadHeadAsync(cancellationToken)).Position;
    }

    /// <summary>One event of each of the fines at hand in turn; where one has no more, the next takes its place.</summary>
    private static IEnumerable<(StreamId Stream, FineEvent Event)> Interleaved(IEnumerable<FineTrace> traces)
    {
        using var waiting = traces.GetEnumerator();
        var atHand = new Queue<IEnumerator<(StreamId Stream, FineEvent Event)>>();
        while (true)
        {
            while (atHand.Count < FinesAtATime && waiting.MoveNext())
            {
                atHand.Enqueue(Live(waiting.Current).GetEnumerator());
            }

            if (!atHand.TryDequeue(out var fine))
            {
                yield break;
            }

            if (fine.MoveNext())
            {
                yield return fine.Current;
                atHand.Enqueue(fine);
            }
        }
    }

    private static IEnumerable<(StreamId Stream, FineEvent Event)> Live(FineTrace trace)
    {
        var stream = new StreamId("fine", trace.FineId);
        var fine = Fine.Initial;
        foreach (var step in trace.Steps)
        {
            foreach (var e in Fine.Decide(fine, step.Command) is Decision<FineEvent>.Accept accepted ? accepted.Events : [])
            {
                fine = Fine.Evolve(fine, e);
                yield return (stream, e);
            }
        }
    }
}
