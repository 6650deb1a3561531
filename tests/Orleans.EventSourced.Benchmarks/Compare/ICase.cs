using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>One question of the comparison.</summary>
internal interface ICase
{
    /// <summary>Its name for <c>--only</c>, targets and the report.</summary>
    string Name { get; }

    /// <summary>What is measured, in one line for people.</summary>
    string Title { get; }

    /// <summary>What decides who is ahead.</summary>
    Quantity Ranks { get; }

    /// <summary>Gets everything ready that the rounds have in common, and says who runs.</summary>
    /// <exception cref="CaseSkippedException">It cannot be measured here.</exception>
    Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken);
}

/// <summary>One who runs in a case.</summary>
/// <param name="Name">Its name in the report.</param>
/// <param name="RunAsync">Runs one round.</param>
internal sealed record Entrant(string Name, Func<RoundPlan, CancellationToken, Task<Round>> RunAsync)
{
    /// <summary>Whether a round that does not count goes before the others; not where each round has a process of its own.</summary>
    public bool WarmsUp { get; init; } = true;
}

/// <summary>One round.</summary>
/// <param name="Number">0: the warm-up, whose figures do not count; else from 1.</param>
/// <param name="Time">How long it lasts, where the case does not take its time from its work.</param>
internal readonly record struct RoundPlan(int Number, TimeSpan Time);

/// <summary>A case cannot be measured here; the message says why.</summary>
internal sealed class CaseSkippedException(string reason) : Exception(reason);
