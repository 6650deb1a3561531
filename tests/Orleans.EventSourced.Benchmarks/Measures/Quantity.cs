namespace Orleans.EventSourced.Benchmarks.Measures;

/// <summary>What a figure tells of a round.</summary>
internal enum Quantity
{
    /// <summary>Operations a second: events, where a case writes or folds them, else calls.</summary>
    PerSecond,

    /// <summary>The median of the single calls, in milliseconds.</summary>
    P50,

    /// <summary>What 99 of 100 calls did not exceed, in milliseconds.</summary>
    P99,

    /// <summary>Bytes allocated on the managed heap a call, in the process that makes the calls and serves them.</summary>
    BytesPerCall,

    /// <summary>Processor time an event, in microseconds, of that process; the database's is not in it.</summary>
    CpuPerEvent,

    /// <summary>Processor time an event, in microseconds, of all processes of the database server.</summary>
    ServerCpuPerEvent,

    /// <summary>Requests that group commit sent together, on average.</summary>
    CallsPerBatch,

    /// <summary>Bytes by which the database grew, an event.</summary>
    StoredPerEvent,

    /// <summary>The whole of what the case times, in seconds.</summary>
    Seconds,
}

/// <summary>How figures are written for people.</summary>
internal static class Quantities
{
    /// <summary>The head of the figures' column.</summary>
    public static string Title(this Quantity quantity) => quantity switch
    {
        Quantity.PerSecond => "a second",
        Quantity.P50 => "p50 ms",
        Quantity.P99 => "p99 ms",
        Quantity.BytesPerCall => "bytes/call",
        Quantity.CpuPerEvent => "CPU us/event",
        Quantity.ServerCpuPerEvent => "server us/event",
        Quantity.CallsPerBatch => "calls/batch",
        Quantity.StoredPerEvent => "stored bytes/event",
        Quantity.Seconds => "seconds",
        _ => throw new InvalidOperationException($"'{quantity}' is no quantity."),
    };

    /// <summary>The digits behind the point that a figure of this quantity is worth.</summary>
    public static string Format(this Quantity quantity) => quantity switch
    {
        Quantity.PerSecond or Quantity.BytesPerCall or Quantity.StoredPerEvent => "N0",
        Quantity.P50 or Quantity.P99 or Quantity.Seconds => "0.00",
        _ => "N1",
    };

    /// <summary>Whether a contender with more of it is the better one.</summary>
    public static bool MoreIsBetter(this Quantity quantity) => quantity is Quantity.PerSecond or Quantity.CallsPerBatch;
}
