using System.Globalization;
using Orleans.Concurrency;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Queries;
using Orleans.Placement;

namespace Orleans.EventSourced.History;

/// <summary>A view as of a point of the past, folded once and kept in the memory of one silo for as long as it is asked for. Its key: <see cref="PastViewKey"/>.</summary>
[Alias("Orleans.EventSourced.IPastViewGrain")]
public interface IPastViewGrain : IGrainWithStringKey
{
    /// <summary>A page of rows; null: it takes longer than <paramref name="atMost"/>, and goes on.</summary>
    /// <exception cref="HistoryException">The past is none, or has too much in it.</exception>
    /// <exception cref="RowQueryException">The query names what the view does not allow.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    [Alias("List"), AlwaysInterleave]
    Task<PastAnswer<ViewRows>?> ListAsync(RowQuery query, TimeSpan atMost);

    /// <summary>The row with this key, null in the answer where there is none; null: it takes longer than <paramref name="atMost"/>, and goes on.</summary>
    /// <exception cref="HistoryException">The past is none, or has too much in it.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    [Alias("Get"), AlwaysInterleave]
    Task<PastAnswer<ViewRow?>?> GetAsync(string key, TimeSpan atMost);

    /// <summary>How many rows there are and what their numbers come to; null: it takes longer than <paramref name="atMost"/>, and goes on.</summary>
    /// <exception cref="HistoryException">The past is none, or has too much in it.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    [Alias("GetTotals"), AlwaysInterleave]
    Task<PastAnswer<Totals>?> GetTotalsAsync(TimeSpan atMost);

    /// <summary>How far it is. It begins nothing.</summary>
    [Alias("GetStatus"), AlwaysInterleave]
    Task<OperationStatus> GetStatusAsync();
}

/// <summary>What was asked of the past.</summary>
/// <param name="Value">It.</param>
/// <param name="Position">The last event of the log that it reflects.</param>
/// <param name="IsFinal">Whether it stays the answer: not where an event may still be recorded that belongs to it.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.PastAnswer`1")]
public sealed record PastAnswer<T>([property: Id(0)] T Value, [property: Id(1)] long Position, [property: Id(2)] bool IsFinal);

/// <summary>How many rows there are, and what their numbers come to.</summary>
/// <param name="Rows">How many.</param>
/// <param name="Sums">The sum of each column of decimals, by the column's name.</param>
/// <param name="Counts">The sum of each column of whole numbers, by the column's name.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.Totals")]
public sealed record Totals([property: Id(0)] int Rows, [property: Id(1)] IReadOnlyDictionary<string, decimal> Sums, [property: Id(2)] IReadOnlyDictionary<string, long> Counts)
{
    internal static Totals Of(ViewTotals totals) => new(totals.Rows, totals.Sums, totals.Counts);
}

/// <summary>Names the past of a view: the view, its version, and a point that stays what it is.</summary>
/// <param name="View">The view's name.</param>
/// <param name="Version">Its version.</param>
/// <param name="Point">The point; not a version, which only streams have.</param>
public sealed record PastViewKey(string View, int Version, PointInTime Point)
{
    /// <summary>Reads the written form.</summary>
    /// <exception cref="HistoryException">It is none.</exception>
    public static PastViewKey Parse(string text) =>
        text?.Split('/', 3) is [var view, ['v', .. var version], var point] && int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new PastViewKey(view, number, PointInTime.Parse(point))
            : throw new HistoryException(HistoryFault.BadPoint, $"'{text}' names no view of the past: VIEW/vVERSION/POINT.");

    /// <summary>The written form: <c>fine_summary/v1/4711</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{View}/v{Version}/{Point}");
}

/// <summary>The fold runs beside it on the history thread, so that nobody who asks how far it is waits for it.</summary>
[GrainType("es-past-view"), PreferLocalPlacement]
internal sealed class PastViewGrain(RegisteredViews views, PastViews past, KeptViews kept, HistoryOptions options, TimeProvider time) : Grain, IPastViewGrain
{
    private Operation<PastRows>? _operation;
    private ReplayPoint? _point;
    private DateTimeOffset _begunAt;

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _operation?.Stop();
        kept.Remove(this);
        return Task.CompletedTask;
    }

    public Task<PastAnswer<ViewRows>?> ListAsync(RowQuery query, TimeSpan atMost) => AnswerAsync(rows => rows.Query(query), atMost);

    public Task<PastAnswer<ViewRow?>?> GetAsync(string key, TimeSpan atMost) => AnswerAsync(rows => rows.Find(key), atMost);

    public Task<PastAnswer<Totals>?> GetTotalsAsync(TimeSpan atMost) => AnswerAsync(rows => rows.Totals(), atMost);

    public Task<OperationStatus> GetStatusAsync() => Task.FromResult(_operation?.Status ?? new OperationStatus(OperationState.None, 0, 0));

    /// <summary>Whether it is being folded. Read from outside the turns.</summary>
    internal bool IsRunning => _operation is { Status.State: OperationState.Running };

    /// <summary>Lets the rows go, because others are wanted more.</summary>
    internal void Evict()
    {
        _operation?.Stop();
        DeactivateOnIdle();
    }

    private async Task<PastAnswer<T>?> AnswerAsync<T>(Func<PastRows, T> read, TimeSpan atMost)
    {
        DelayDeactivation(options.KeptFor);
        kept.Touch(this);
        var key = PastViewKey.Parse(this.GetPrimaryKeyString());
        var view = views.Named(key.View) is { } named && named.View.Version == key.Version ? named : throw new HistoryException(HistoryFault.NoSuchStream, $"This program has no view '{key.View}' in version {key.Version}.");
        if (!IsKept)
        {
            var found = await past.LocateAsync(key.Point, CancellationToken.None);

            // Others that asked meanwhile may have begun it.
            if (!IsKept)
            {
                (_begunAt, _point, _operation) = (time.GetUtcNow(), found, new Operation<PastRows>((progress, stop) => view.FoldPastAsync(past, found, progress, stop)));
            }
        }

        var (operation, point) = (_operation!, _point!);
        return await operation.ResultAsync(atMost, time) is { } rows ? new PastAnswer<T>(read(rows), point.Position.Value, point.IsFinal) : null;
    }

    /// <summary>Whether there is an answer, or will be, that is not too old. What still goes on is not begun anew: it would never be done.</summary>
    private bool IsKept => _operation?.Status.State switch
    {
        OperationState.Running => true,
        OperationState.Done => _point!.IsFinal || time.GetUtcNow() - _begunAt <= options.KeptFor,
        _ => false,
    };
}

/// <summary>Which views of the past this silo keeps in memory: of those that are done the one that was asked for longest ago goes first. Safe for concurrent use.</summary>
internal sealed class KeptViews(HistoryOptions options)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<PastViewGrain> _order = new();

    /// <exception cref="HistoryException">As many as may be are being folded; one more would only keep one of them from its end.</exception>
    public void Touch(PastViewGrain view)
    {
        PastViewGrain? oldest = null;
        lock (_gate)
        {
            var isKept = _order.Remove(view);
            if (!isKept && _order.Count >= options.MaxKeptViews)
            {
                oldest = _order.FirstOrDefault(v => !v.IsRunning)
                    ?? throw new HistoryException(HistoryFault.NotNow, $"{_order.Count} views of the past are being folded on this silo, as many as may be; ask again when one of them is done.");
                _order.Remove(oldest);
            }

            _order.AddLast(view);
        }

        oldest?.Evict();
    }

    public void Remove(PastViewGrain view)
    {
        lock (_gate)
        {
            _order.Remove(view);
        }
    }
}
