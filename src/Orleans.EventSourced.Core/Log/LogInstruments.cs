using System.Diagnostics.Metrics;

namespace Orleans.EventSourced.Core.Log;

/// <summary>The metrics of the log, under the meter <see cref="MeterName"/>.</summary>
public static class LogInstruments
{
    /// <summary>The name of the meter to subscribe to.</summary>
    public const string MeterName = "Orleans.EventSourced.Log";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Histogram<double> BatchSeconds = Meter.CreateHistogram<double>("orleans.eventsourced.append.batch.duration", "s", "Time of one durable batch, from send to answer.");
    private static readonly Histogram<int> BatchRequests = Meter.CreateHistogram<int>("orleans.eventsourced.append.batch.requests", "{request}", "Requests in one batch.");
    private static readonly Counter<long> Events = Meter.CreateCounter<long>("orleans.eventsourced.append.events", "{event}", "Events sent to the log in batches that were answered.");

    internal static Counter<long> Overloaded { get; } = Meter.CreateCounter<long>("orleans.eventsourced.append.overloaded", "{request}", "Appends refused because the queue was full.");

    internal static Counter<long> Retries { get; } = Meter.CreateCounter<long>("orleans.eventsourced.append.retries", "{batch}", "Batches sent again.");

    internal static Counter<long> Races { get; } = Meter.CreateCounter<long>("orleans.eventsourced.append.races", "{batch}", "Batches that lost a race with a twin and were sent again.");

    internal static void Batch(IReadOnlyList<AppendRequest> requests, TimeSpan duration)
    {
        if (!BatchSeconds.Enabled && !Events.Enabled && !BatchRequests.Enabled)
        {
            return;
        }

        BatchSeconds.Record(duration.TotalSeconds);
        BatchRequests.Record(requests.Count);
        Events.Add(requests.Sum(r => r.Events.Count));
    }
}
