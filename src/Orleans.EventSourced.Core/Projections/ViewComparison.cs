using System.Globalization;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// Whether the rows of a view are what the fold of the log gives. It folds the whole log again into memory, beside the projection that goes on, and reads the table page by page: a row that
/// moved meanwhile is looked at again.
/// </summary>
public static class ViewComparison
{
    /// <summary>The most differences that are told; there may be more.</summary>
    public const int MaxDifferences = 100;

    private const int MaxLooks = 200;
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(50);

    /// <summary>Compares every row. It takes memory for all rows of the view and the time of folding the log once.</summary>
    /// <param name="projection">The view.</param>
    /// <param name="slices">Into how many slices its table is divided.</param>
    /// <param name="skipped">The events that the view passes over.</param>
    /// <param name="poison">What it does at an event that its fold refuses.</param>
    /// <param name="reader">What reads the table.</param>
    /// <param name="tail">The log.</param>
    /// <param name="time">The clock of the waits for rows that lag.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="LogUnavailableException">Log or table could not answer.</exception>
    /// <exception cref="ViewFoldException">The fold refuses an event for which no row alone can be parked, so there is nothing to compare with.</exception>
    public static async Task<ViewComparisonReport> RunAsync<TRow>(Projection<TRow> projection, int slices, IReadOnlyCollection<SkippedEvent> skipped, PoisonPolicy poison, IViewReader<TRow> reader, LogTail tail, TimeProvider time, CancellationToken cancellationToken)
        where TRow : class
    {
        ArgumentNullException.ThrowIfNull(projection);
        ArgumentNullException.ThrowIfNull(skipped);
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(tail);
        ArgumentNullException.ThrowIfNull(time);
        var fold = new InMemoryViewTable<TRow>();
        foreach (var e in skipped)
        {
            await fold.SkipAsync(e, cancellationToken).ConfigureAwait(false);
        }

        var position = await FoldAsync(new ProjectionRunner<TRow>(projection, Slice.Whole, fold, tail), poison, cancellationToken).ConfigureAwait(false);
        var expected = fold.Rows.ToDictionary(r => r.Key, r => r.Value, StringComparer.Ordinal);
        var (doubtful, rows) = await DoubtfulAsync(expected, reader, static _ => true, cancellationToken).ConfigureAwait(false);
        var differences = new List<ViewDifference>();
        foreach (var key in doubtful.Order(StringComparer.Ordinal).TakeWhile(_ => differences.Count < MaxDifferences))
        {
            if (await DifferenceAsync(key, expected, position, slices, reader, time, cancellationToken).ConfigureAwait(false) is { } difference)
            {
                differences.Add(difference);
            }
        }

        return new ViewComparisonReport(projection.View, position, rows, differences);
    }

    /// <summary>The keys that are not the same in the table as in the fold, by one look at the rows concerned, and how many rows those are.</summary>
    internal static async Task<(HashSet<string> Doubtful, long Rows)> DoubtfulAsync<TRow>(
        Dictionary<string, (TRow Row, LogPosition Position)> expected, IViewReader<TRow> reader, Func<string, bool> isConcerned, CancellationToken cancellationToken)
        where TRow : class
    {
        var (doubtful, rows) = (new HashSet<string>(expected.Keys, StringComparer.Ordinal), 0L);
        await foreach (var row in AllAsync(reader, cancellationToken).ConfigureAwait(false))
        {
            if (isConcerned(row.Key))
            {
                rows++;
                _ = IsSame(expected, row.Key, row) ? doubtful.Remove(row.Key) : doubtful.Add(row.Key);
            }
        }

        return (doubtful, rows);
    }

    /// <summary>Folds on to the end of the runner's log; the answer is where that is.</summary>
    internal static async Task<LogPosition> FoldAsync<TRow>(ProjectionRunner<TRow> runner, PoisonPolicy poison, CancellationToken cancellationToken)
        where TRow : class
    {
        while (true)
        {
            switch (await runner.StepAsync(poison, cancellationToken).ConfigureAwait(false))
            {
                case ProjectionStep.Advanced:
                    break;
                case ProjectionStep.AtHead(var position):
                    return position;
                case ProjectionStep.Poisoned(_, var fault):
                    throw fault;
                case ProjectionStep.Unknown(_, var missing):
                    throw missing;
                case var step:
                    throw new InvalidOperationException($"A fold into memory came to {step}.");
            }
        }
    }

    private static async IAsyncEnumerable<KeyedRow<TRow>> AllAsync<TRow>(IViewReader<TRow> reader, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        where TRow : class
    {
        var query = new RowQuery { Limit = RowQuery.MaxLimit };
        do
        {
            var page = await reader.QueryAsync(new RowQueryPlan<TRow>(query), cancellationToken).ConfigureAwait(false);
            foreach (var row in page.Rows)
            {
                yield return row;
            }

            query = query with { After = page.Next };
        }
        while (query.After is not null);
    }

    /// <summary>Null: the row is as the fold has it, or went on behind the position folded.</summary>
    internal static async Task<ViewDifference?> DifferenceAsync<TRow>(
        string key, Dictionary<string, (TRow Row, LogPosition Position)> expected, LogPosition position, int slices, IViewReader<TRow> reader, TimeProvider time, CancellationToken cancellationToken)
        where TRow : class
    {
        for (var look = 0; ; look++)
        {
            var (row, reflects) = await reader.ReadAsync(key, Slice.Of(key, slices), cancellationToken).ConfigureAwait(false);
            if (IsSame(expected, key, row) || (reflects > position && (row is null || (row.Position > position.Value && row.Position <= reflects.Value))))
            {
                // It is the same, or was changed or deleted by events behind those folded: that the next comparison sees.
                return null;
            }

            if (reflects >= position || look == MaxLooks)
            {
                return new ViewDifference(key, expected.TryGetValue(key, out var fold) ? Shown(fold.Row, fold.Position) : null, row is null ? null : Shown(row.Row, new LogPosition(row.Position)));
            }

            await Task.Delay(BetweenLooks, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private static bool IsSame<TRow>(Dictionary<string, (TRow Row, LogPosition Position)> expected, string key, KeyedRow<TRow>? row)
        where TRow : class =>
        expected.TryGetValue(key, out var fold) ? row is not null && row.Position == fold.Position.Value && fold.Row.Equals(row.Row) : row is null;

    private static string Shown<TRow>(TRow row, LogPosition position) => string.Create(CultureInfo.InvariantCulture, $"{row} at {position}");
}

/// <summary>What a comparison of a view with the fold of the log came to.</summary>
/// <param name="View">The view.</param>
/// <param name="Position">The position up to which the log was folded.</param>
/// <param name="Rows">How many rows the table has.</param>
/// <param name="Differences">What differs, by key; at most <see cref="ViewComparison.MaxDifferences"/>.</param>
public sealed record ViewComparisonReport(ViewId View, LogPosition Position, long Rows, IReadOnlyList<ViewDifference> Differences)
{
    /// <summary>Whether nothing differs.</summary>
    public bool IsEqual => Differences.Count == 0;
}

/// <summary>A row that is not what the fold gives.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Expected">The row of the fold, as text; null: there should be none.</param>
/// <param name="Found">The row of the table, as text; null: there is none.</param>
public sealed record ViewDifference(string Key, string? Expected, string? Found);
