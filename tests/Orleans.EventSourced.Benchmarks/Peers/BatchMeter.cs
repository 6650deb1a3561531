using System.Diagnostics.Metrics;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>How well group commit gathers, read from its published metric, as long as this lives.</summary>
internal sealed class BatchMeter : IDisposable
{
    private readonly MeterListener _listener = new();
    private long _batches;
    private long _requests;

    public BatchMeter()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument is { Meter.Name: LogInstruments.MeterName, Name: "orleans.eventsourced.append.batch.requests" })
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((_, requests, _, _) =>
        {
            Interlocked.Increment(ref _batches);
            Interlocked.Add(ref _requests, requests);
        });
        _listener.Start();
    }

    public double RequestsPerBatch => _requests / (double)Math.Max(1, _batches);

    public void Dispose() => _listener.Dispose();
}
