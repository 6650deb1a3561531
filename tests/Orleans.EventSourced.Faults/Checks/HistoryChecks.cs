using Orleans.EventSourced.Faults.Clients;

namespace Orleans.EventSourced.Faults.Checks;

/// <summary>What clients were told, against what the log holds in the end.</summary>
internal static class HistoryChecks
{
    public static IEnumerable<string> Run(IReadOnlyList<LogRow> log, IReadOnlyCollection<Operation> operations, IReadOnlyDictionary<long, Core.Events.EventId> seen) =>
    [
        .. Positions(log),
        .. Answers(log, operations),
        .. RealTime(operations),
        .. Seen(log, seen),
    ];

    private static IEnumerable<string> Positions(IReadOnlyList<LogRow> log)
    {
        var versions = new Dictionary<string, int>();
        for (var i = 0; i < log.Count; i++)
        {
            var row = log[i];
            if (row.Position != i + 1)
            {
                yield return $"I5: position {i + 1} is missing; {row.Position} comes next";
                yield break;
            }

            if (row.Ordinal >= row.CommitCount || row.Commit + row.Ordinal != row.Position)
            {
                yield return $"I7: the event at {row.Position} is number {row.Ordinal} of a commit at {row.Commit} with {row.CommitCount} events";
            }

            if (row.Version != (versions[row.Stream] = versions.GetValueOrDefault(row.Stream) + 1))
            {
                yield return $"I4: {row.Stream} has version {row.Version} at {row.Position}, where {versions[row.Stream]} was due";
            }
        }

        foreach (var twice in log.GroupBy(r => r.Id).Where(g => g.Count() > 1))
        {
            yield return $"I2: event id {twice.Key} stands at {string.Join(", ", twice.Select(r => r.Position))}";
        }
    }

    private static IEnumerable<string> Answers(IReadOnlyList<LogRow> log, IReadOnlyCollection<Operation> operations)
    {
        var rows = log.ToLookup(r => r.Command);
        foreach (var o in operations)
        {
            var written = rows[o.Command].ToList();
            if (written.Count > 1)
            {
                yield return $"I2: {o.Key} has {written.Count} events, at {string.Join(", ", written.Select(r => r.Position))}";
            }

            if (o.Outcome == Outcome.Ok && !written.Exists(r => r.Stream == o.Stream && r.Version == o.Version && r.Position == o.Position))
            {
                yield return $"I1: {o.Key} was acknowledged at version {o.Version} of {o.Stream}, position {o.Position}, and {(written.Count == 0 ? "is not in the log" : $"stands at {written[0].Position}")}";
            }

            if (o.Outcome == Outcome.Fail && written.Count > 0)
            {
                yield return $"I3: {o.Key} was refused ({o.Code}) after {o.Tries} tries{(o.WasInDoubt ? ", one of them in doubt," : "")} and stands at {written[0].Position}";
            }
        }
    }

    /// <summary>What ended before something else began comes before it, in each stream.</summary>
    private static IEnumerable<string> RealTime(IReadOnlyCollection<Operation> operations)
    {
        foreach (var stream in operations.Where(o => o.Outcome == Outcome.Ok).GroupBy(o => o.Stream))
        {
            var byEnd = stream.OrderBy(o => o.Ended).ToList();
            var (next, last) = (0, default(Operation));
            foreach (var o in stream.OrderBy(o => o.Began))
            {
                for (; byEnd[next].Ended < o.Began; next++)
                {
                    last = last is null || byEnd[next].Version > last.Version ? byEnd[next] : last;
                }

                if (last is not null && last.Version >= o.Version)
                {
                    yield return $"I8: {last.Key} had ended with version {last.Version} of {stream.Key} when {o.Key} began, which has version {o.Version}";
                }
            }
        }
    }

    private static IEnumerable<string> Seen(IReadOnlyList<LogRow> log, IReadOnlyDictionary<long, Core.Events.EventId> seen) =>
        from s in seen
        where s.Key > log.Count || log[(int)s.Key - 1].Id != s.Value.Value
        select $"I6: a reader saw the event {s.Value.Value} at position {s.Key}, where {(s.Key > log.Count ? "nothing" : log[(int)s.Key - 1].Id)} stands now";
}
