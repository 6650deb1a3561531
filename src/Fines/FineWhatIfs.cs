using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Hosting;

namespace Fines;

/// <summary>Questions that can be asked of the history of fines.</summary>
public static class FineWhatIfs
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<WhatIf> All { get; } =
    [
        WhatIf.Of<FineEvent, PaidInTime>("paid-in-time", "No penalty for a fine of which something was paid within so many days of its notification.", PaidInTime.Rewrite),
        WhatIf.Of<FineEvent, MilderPenalty>("milder-penalty", "Each penalty raises the fine to so many times its first amount.", MilderPenalty.Rewrite),
    ];

    /// <summary>Lets branches name them.</summary>
    /// <param name="silo">The silo builder.</param>
    public static ISiloBuilder AddFineWhatIfs(this ISiloBuilder silo) => All.Aggregate(silo, (s, function) => s.AddWhatIf(function));
}

/// <summary>What if a first payment within the term had kept the penalty away?</summary>
public sealed record PaidInTime
{
    private readonly double _days = 90;

    /// <summary>The term in days of 24 hours, from the notification on; 0 to 36,500. Default 90.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is none of these.</exception>
    public double Days
    {
        get => _days;
        init => _days = value is >= 0 and <= 36_500 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "days is 0 to 36,500.");
    }

    /// <summary>The events of one fine as they would have been.</summary>
    public static IEnumerable<FineEvent> Rewrite(IReadOnlyList<FineEvent> events, PaidInTime parameters)
    {
        ArgumentNullException.ThrowIfNull(events);
        ArgumentNullException.ThrowIfNull(parameters);
        var term = events.OfType<NotificationInserted>().FirstOrDefault()?.OccurredAt.AddDays(parameters.Days);
        return events.OfType<PaymentReceived>().Any(p => p.OccurredAt <= term) ? events.Where(e => e is not PenaltyAdded) : events;
    }
}

/// <summary>What if penalties had been milder, or harder?</summary>
public sealed record MilderPenalty
{
    private readonly decimal _factor = 1.5m;

    /// <summary>How many times its first amount a fine comes to with its penalty, 0 to 1,000; the amount is rounded to cents, half away from zero. Default 1.5.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is none of these.</exception>
    public decimal Factor
    {
        get => _factor;
        init => _factor = value is >= 0 and <= 1_000 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "factor is 0 to 1,000.");
    }

    /// <summary>The events of one fine as they would have been.</summary>
    public static IEnumerable<FineEvent> Rewrite(IReadOnlyList<FineEvent> events, MilderPenalty parameters)
    {
        ArgumentNullException.ThrowIfNull(events);
        ArgumentNullException.ThrowIfNull(parameters);
        return events.OfType<FineIssued>().FirstOrDefault() is { Amount: var first }
            ? events.Select(e => e is PenaltyAdded penalty ? penalty with { Amount = decimal.Round(first * parameters.Factor, 2, MidpointRounding.AwayFromZero) } : e)
            : events;
    }
}
