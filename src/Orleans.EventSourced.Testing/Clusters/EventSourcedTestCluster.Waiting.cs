using System.Globalization;
using System.Text;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Reactions;
using Orleans.EventSourced.Testing.Scenarios;

namespace Orleans.EventSourced.Testing.Clusters;

/// <content>What a test waits for, and the time that it lets pass.</content>
public sealed partial class EventSourcedTestCluster
{
    /// <summary>How often time is let pass at one moment, at most, while what falls due makes further things fall due.</summary>
    private const int MaxRounds = 100;

    /// <summary>Waits until every view, in all its slices, reflects the log up to a position, and no row is parked before it.</summary>
    /// <param name="position">The position, such as <c>new LogPosition(accepted.Position)</c>; null: the log's head as it is now.</param>
    /// <param name="timeout">How long; null: <see cref="DefaultTimeout"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ExpectationException">Not within the time; the message has a table of who is behind, where, by how much and why.</exception>
    public async Task WaitForProjectionsAsync(LogPosition? position = null, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var wanted = position ?? (await Log.ReadHeadAsync(cancellationToken)).Position;
        IReadOnlyList<SliceReport> seen = [];
        Exception? failure = null;
        await UntilAsync(
            timeout ?? DefaultTimeout,
            async () =>
            {
                try
                {
                    (seen, failure) = (await First.Projections.ListAsync(), null);
                    return seen.All(s => s.Status.Position >= wanted && s.Status.Parked == 0) ? seen : null;
                }
                catch (Exception e) when (e is LogException or OrleansException or TimeoutException)
                {
                    // A silo that was killed may have taken a slice with it; another one takes it over.
                    failure = e;
                    return null;
                }
            },
            () => Late(wanted, seen, failure),
            cancellationToken);
    }

    /// <summary>
    /// Lets time pass in a cluster with <see cref="EventSourcedTestClusterBuilder.UseVirtualTime"/>, and waits until everything is done that fell due: each tick of a reminder and of a grain's timer, one
    /// after the other at its own time; then the deadlines, at the end of the time, until nothing that they did makes another one due. What goes by this time besides are the silos'
    /// <see cref="TimeProvider"/> (its time of day; what it measures and waits for goes by the machine's clock), recorded times of logs that a process dates, and the lives of branches.
    /// </summary>
    /// <param name="by">How much, 0 or more.</param>
    /// <param name="timeout">How long to wait, in the machine's time, for each tick, and for the deadlines; null: <see cref="DefaultTimeout"/>.</param>
    /// <param name="cancellationToken">Ends the waits.</param>
    /// <exception cref="InvalidOperationException">The cluster goes by the machine's time; or so many ticks fall due that the steps should be smaller.</exception>
    /// <exception cref="ExpectationException">A tick threw or did not end, or the deadlines could not be kept; the message says which and why.</exception>
    public async Task AdvanceAsync(TimeSpan by, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        var time = _time ?? throw new InvalidOperationException($"This cluster goes by the machine's time: call {nameof(EventSourcedTestClusterBuilder.UseVirtualTime)} when it is built.");
        var patience = timeout ?? DefaultTimeout;
        await time.Agenda.AdvanceAsync(by, patience, cancellationToken);
        foreach (var cluster in _twins.Prepend(this).Where(c => c._cluster.Silos.Count > 0))
        {
            await cluster.KeepDeadlinesAsync(patience, cancellationToken);
        }
    }

    private async Task KeepDeadlinesAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        if ((await First.Reactions.ListDeadlinesAsync()).Count == 0)
        {
            return;
        }

        for (var round = 0; round < MaxRounds; round++)
        {
            var head = (await Log.ReadHeadAsync(cancellationToken)).Position;
            await WaitForProjectionsAsync(head, patience, cancellationToken);
            await LookedAsync(patience, cancellationToken);
            if ((await Log.ReadHeadAsync(cancellationToken)).Position == head)
            {
                return;
            }
        }

        throw new ExpectationException($"What deadlines do makes others due, {MaxRounds} times in a row at one moment.");
    }

    /// <summary>Waits until every deadline has looked for due rows from beginning to end.</summary>
    private async Task LookedAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var before = new Dictionary<(string Name, SiloAddress Silo), long>();
        IReadOnlyList<DeadlineReport> seen = [];
        await UntilAsync(
            patience,
            async () =>
            {
                var control = First.Reactions;
                seen = await control.ListDeadlinesAsync();

                // One look may have begun before; the one behind it has not.
                var waiting = seen.Where(d => d.Status.Looks < Begun(before, d) + 2).ToList();
                await Task.WhenAll(waiting.Select(d => control.ResumeAsync(d.Status.Name)));
                return waiting.Count == 0 ? seen : null;
            },
            () => $"The deadlines did not look for due rows.\n{string.Join('\n', seen.Select(d => $"{d.Status.Name}: {d.Status.State}, {d.Status.Fault ?? "no fault"}, on {d.Silo}"))}",
            cancellationToken);
    }

    /// <summary>How many looks a deadline had ended when it was seen on its silo for the first time: elsewhere it begins to count anew.</summary>
    private static long Begun(Dictionary<(string Name, SiloAddress Silo), long> before, DeadlineReport seen) =>
        before.TryAdd((seen.Status.Name.Value, seen.Silo), seen.Status.Looks) ? seen.Status.Looks : before[(seen.Status.Name.Value, seen.Silo)];

    private static string Late(LogPosition position, IReadOnlyList<SliceReport> seen, Exception? failure)
    {
        var late = seen.Where(s => s.Status.Position < position || s.Status.Parked > 0).ToList();
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"all views at position {position}; {late.Count} of {seen.Count} slices are not there.");
        if (failure is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"\nThe projections could not be asked at last: {failure.Message}");
        }

        string[][] rows =
        [
            ["view", "version", "slice", "position", "behind", "state", "parked", "tries", "stands at", "silo", "because"],
            .. late.Select(s => s.Status).Zip(late, (status, report) => new[]
            {
                status.View.Name,
                Text(status.View.Version),
                Text(status.Slice.Index),
                Text(status.Position.Value),
                Text(Math.Max(0, position.Value - status.Position.Value)),
                status.State.ToString(),
                Text(status.Parked),
                Text(status.Attempts),
                status.FaultAt == LogPosition.Start ? "" : Text(status.FaultAt.Value),
                report.Silo.ToString(),
                (status.Fault ?? "").ReplaceLineEndings(" "),
            }),
        ];
        var widths = Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length)).ToList();
        foreach (var row in rows)
        {
            text.Append("\n  ").AppendJoin("  ", row.Zip(widths, (cell, width) => cell.PadRight(width)));
        }

        return text.ToString();
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
