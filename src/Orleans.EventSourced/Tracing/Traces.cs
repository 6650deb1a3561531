using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Mutations;
using EventId = Orleans.EventSourced.Core.Events.EventId;

namespace Orleans.EventSourced.Tracing;

/// <summary>Answers what belongs to a workflow, from the view <c>es_trace</c>. It waits for nothing: what the view does not show yet is not in the answer. Safe for concurrent use.</summary>
public sealed class Traces
{
    /// <summary>The most gaps that are looked for in the log.</summary>
    public const int MaxGapsSought = 100;

    private readonly IViewReader<TraceRow> _reader;
    private readonly IEventLog _log;

    internal Traces(IViewReader<TraceRow> reader, IEventLog log, TraceOptions options) => (_reader, _log, MaxNodes) = (reader, log, options.MaxNodes);

    /// <summary>The most nodes of a trace.</summary>
    public int MaxNodes { get; }

    /// <summary>The workflow that has this id, or has an event or a command with it, or names it as a cause, in this order.</summary>
    /// <param name="id">A correlation, or the id of an event or a command.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="LogUnavailableException">The store could not answer, or the view's table is not made yet.</exception>
    public async Task<TraceReading> FindAsync(string id, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        var name = TraceRow.NameOf(id);
        var found = await ReadAsync(name, cancellationToken).ConfigureAwait(false);
        return found.Trace is not null || await CorrelationOfAsync(name, cancellationToken).ConfigureAwait(false) is not { } correlation || correlation == name
            ? found
            : await ReadAsync(correlation, cancellationToken).ConfigureAwait(false);
    }

    private static RowQuery Query(string column, string value, int limit) => new() { Filters = [new RowFilter(column, RowComparison.Equal, value)], Limit = limit };

    private async Task<TraceReading> ReadAsync(string correlation, CancellationToken cancellationToken)
    {
        var rows = new List<KeyedRow<TraceRow>>();
        LogPosition? reflects = null;
        var query = Query("correlation", correlation, Math.Min(MaxNodes, RowQuery.MaxLimit));
        do
        {
            var page = await _reader.QueryAsync(new RowQueryPlan<TraceRow>(query), cancellationToken).ConfigureAwait(false);
            rows.AddRange(page.Rows);
            reflects = reflects is { } before && before < page.Reflects ? before : page.Reflects;
            query = query with { After = page.Next };
        }
        while (query.After is not null && rows.Count < MaxNodes);

        // The view may have gone on between two pages. A row never changes, so that what is left is the view as it was.
        var asOf = rows.Where(r => r.Position <= reflects.Value.Value).ToList();
        if (asOf.Count == 0)
        {
            return new TraceReading(null, reflects.Value.Value);
        }

        var trace = TraceTree.Of(correlation, asOf, MaxNodes, isCut: query.After is not null);
        return new TraceReading(trace with { Gaps = await SoughtAsync(trace.Gaps, cancellationToken).ConfigureAwait(false) }, reflects.Value.Value);
    }

    private async Task<IReadOnlyList<TraceGap>> SoughtAsync(IReadOnlyList<TraceGap> gaps, CancellationToken cancellationToken)
    {
        var sought = gaps.ToList();
        for (var i = 0; i < Math.Min(sought.Count, MaxGapsSought); i++)
        {
            sought[i] = sought[i] with { Correlation = await RecordedInAsync(sought[i].Id, cancellationToken).ConfigureAwait(false) };
        }

        return sought;
    }

    private async Task<string?> CorrelationOfAsync(string name, CancellationToken cancellationToken) =>
        await RecordedInAsync(name, cancellationToken).ConfigureAwait(false)
        ?? ((await _reader.QueryAsync(new RowQueryPlan<TraceRow>(Query("causation", name, 1)), cancellationToken).ConfigureAwait(false)).Rows is [var caused, ..] ? caused.Row.Correlation : null);

    /// <summary>The workflow of an event or a command, as the log has it; null: the log has no such event, and no event of such a command.</summary>
    private async Task<string?> RecordedInAsync(string name, CancellationToken cancellationToken)
    {
        if (!Guid.TryParseExact(name, "D", out var id) || id == Guid.Empty)
        {
            return null;
        }

        // A mutation that was refused has no events; the request for it has one.
        var command = new CommandId(id);
        var recorded = await _log.FindEventAsync(new EventId(id), cancellationToken).ConfigureAwait(false)
            ?? await _log.FindCommandAsync(command, cancellationToken).ConfigureAwait(false)
            ?? await _log.FindCommandAsync(MutationQueue.RequestOf(command), cancellationToken).ConfigureAwait(false);
        return recorded is null ? null : TraceRow.Of(recorded).Correlation;
    }
}

/// <summary>A workflow, and how far it is known.</summary>
/// <param name="Trace">The workflow; null: nothing is known of it.</param>
/// <param name="Reflects">Every event up to this position is in it.</param>
public sealed record TraceReading(Trace? Trace, long Reflects);
