namespace Orleans.EventSourced.Testing.Faults;

/// <summary>What goes wrong with one call to a store.</summary>
public enum FaultKind
{
    /// <summary>Nothing; it may take its time.</summary>
    None,

    /// <summary>It did nothing, and its caller is told so: a sure no.</summary>
    Unavailable,

    /// <summary>A write is done, and its caller does not learn it: the reply is lost. A read: as <see cref="Unavailable"/>.</summary>
    LostReply,

    /// <summary>A write is not done, and its caller does not learn that either. A read: as <see cref="Unavailable"/>.</summary>
    LostRequest,

    /// <summary>A write is done after its caller was told that its fate is unknown: it was still on its way. A read: as <see cref="Unavailable"/>.</summary>
    LateRequest,

    /// <summary>Another writer was faster; nothing was written. A read: as <see cref="Unavailable"/>.</summary>
    Race,
}

/// <summary>The fate of one call.</summary>
/// <param name="Kind">What goes wrong.</param>
/// <param name="Before">How long the call is on its way to the store.</param>
/// <param name="After">How long the answer is on its way back; of a late request, how long after its caller was told it arrives.</param>
public readonly record struct Fault(FaultKind Kind, TimeSpan Before = default, TimeSpan After = default);

/// <summary>How often what goes wrong, each from 0 (never) to 1 (always); together no more than 1.</summary>
public sealed record FaultRates
{
    /// <summary>Nothing goes wrong, and nothing takes time.</summary>
    public static FaultRates None { get; } = new();

    /// <summary>Of writes: <see cref="FaultKind.Unavailable"/>.</summary>
    public double Unavailable { get; init; }

    /// <summary>Of writes: <see cref="FaultKind.LostReply"/>.</summary>
    public double LostReply { get; init; }

    /// <summary>Of writes: <see cref="FaultKind.LostRequest"/>.</summary>
    public double LostRequest { get; init; }

    /// <summary>Of writes: <see cref="FaultKind.LateRequest"/>.</summary>
    public double LateRequest { get; init; }

    /// <summary>Of writes: <see cref="FaultKind.Race"/>.</summary>
    public double Race { get; init; }

    /// <summary>Of reads: <see cref="FaultKind.Unavailable"/>. It is not part of the sum of the others.</summary>
    public double FailedRead { get; init; }

    /// <summary>The longest way of a call to the store, and of its answer back; most are far shorter. 0 or more.</summary>
    public TimeSpan MaxDelay { get; init; }

    /// <summary>How much later than its caller was told a late request arrives at most. 0 or more.</summary>
    public TimeSpan MaxLateness { get; init; }
}
