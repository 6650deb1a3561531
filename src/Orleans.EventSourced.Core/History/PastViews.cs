using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.History;

/// <summary>Folds views anew as of a point of the past, beside the live ones and without touching them. Safe for concurrent use.</summary>
/// <param name="log">The log.</param>
/// <param name="codec">What reads the events.</param>
/// <param name="options">Limits; validated by whoever made them.</param>
/// <param name="worker">Where they are folded.</param>
public sealed class PastViews(IEventLog log, JsonEventCodec codec, HistoryOptions options, IHistoryWorker worker)
{
    private readonly LogReplay _replay = new(log, codec, options, worker);

    /// <summary>What a point means for the whole log.</summary>
    /// <exception cref="HistoryException">The log does not reach it, began later, or it is the version of a stream.</exception>
    /// <exception cref="LogUnavailableException">The log could not answer.</exception>
    public Task<ReplayPoint> LocateAsync(PointInTime? at, CancellationToken cancellationToken) => _replay.LocateAsync(at, cancellationToken);

    /// <summary>The rows of a view as of a point.</summary>
    /// <param name="projection">The view.</param>
    /// <param name="skipped">The events that it passes over.</param>
    /// <param name="poison">What it does at an event that its fold refuses.</param>
    /// <param name="point">What <see cref="LocateAsync"/> gave.</param>
    /// <param name="progress">Told of how many events were folded, and of how many there are; null: nobody is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="HistoryException">There is too much of it, or the fold refuses an event.</exception>
    /// <exception cref="LogException">The log could not answer, or has an event that this program cannot read.</exception>
    public async Task<PastView<TRow>> FoldAsync<TRow>(
        Projection<TRow> projection, IReadOnlyCollection<SkippedEvent> skipped, PoisonPolicy poison, ReplayPoint point, Action<long, long>? progress, CancellationToken cancellationToken)
        where TRow : class
    {
        ArgumentNullException.ThrowIfNull(projection);
        ArgumentNullException.ThrowIfNull(point);
        var rows = new ViewFold<TRow>(projection, skipped, poison, options.MaxRows);
        await _replay.RunAsync(point, page => Branch.Guarded(() => rows.Add(page.Of(projection.Events))), at => progress?.Invoke(at.Value, point.Position.Value), cancellationToken).ConfigureAwait(false);
        return new PastView<TRow>(point, rows);
    }
}

/// <summary>A view as of a point. What it holds is not changed any more, and may be read by any number at a time.</summary>
/// <param name="Point">The point.</param>
/// <param name="Rows">The rows.</param>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed record PastView<TRow>(ReplayPoint Point, ViewFold<TRow> Rows)
    where TRow : class;
