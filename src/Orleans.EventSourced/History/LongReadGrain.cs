using System.Text.Json;
using Orleans.Concurrency;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.Placement;

namespace Orleans.EventSourced.History;

/// <summary>A question to the past of one entity that takes longer than a caller waits: it is answered once, and kept for as long as it is asked for. Its key: <see cref="LongRead"/>.</summary>
[Alias("Orleans.EventSourced.ILongReadGrain")]
public interface ILongReadGrain : IGrainWithStringKey
{
    /// <summary>The answer as JSON; null: it takes longer than <paramref name="atMost"/>, and goes on.</summary>
    /// <exception cref="HistoryException">There is no such entity or point, or too much would be folded.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    [Alias("Get"), AlwaysInterleave]
    Task<string?> GetAsync(TimeSpan atMost);

    /// <summary>How far it is. It begins nothing.</summary>
    [Alias("GetStatus"), AlwaysInterleave]
    Task<OperationStatus> GetStatusAsync();
}

/// <summary>A question to the past of one entity.</summary>
/// <param name="Kind"><c>state</c>, <c>diff</c> or <c>blame</c>.</param>
/// <param name="Stream">The entity's stream.</param>
/// <param name="At">The point; of <c>diff</c> the second. Null: now.</param>
/// <param name="From">The first point of <c>diff</c>; else null.</param>
public sealed record LongRead(string Kind, StreamId Stream, PointInTime? At, PointInTime? From = null)
{
    /// <summary>Reads the written form.</summary>
    /// <exception cref="HistoryException">It is none.</exception>
    public static LongRead Parse(string text)
    {
        try
        {
            return text?.Split('/', 4) is ["state" or "diff" or "blame", var from, var at, var stream]
                ? new LongRead(text[..text.IndexOf('/', StringComparison.Ordinal)], StreamId.Recorded(stream), at.Length == 0 ? null : PointInTime.Parse(at), from.Length == 0 ? null : PointInTime.Parse(from))
                : throw new HistoryException(HistoryFault.BadPoint, $"'{text}' is no question to the past of an entity: KIND/FROM/AT/STREAM.");
        }
        catch (ArgumentException e)
        {
            throw new HistoryException(HistoryFault.NoSuchStream, e.Message, e);
        }
    }

    /// <summary>Whether its answer stays the same whatever else is recorded: versions and positions are, the present and times are not.</summary>
    internal bool IsFixed => IsPlace(At) && (From is null || IsPlace(From));

    /// <summary>The written form: <c>state//v3/fine/A1</c>.</summary>
    public override string ToString() => $"{Kind}/{From}/{At}/{Stream}";

    private static bool IsPlace(PointInTime? point) => point is PointInTime.AtVersion or PointInTime.AtPosition;

    /// <summary>The answer as JSON: an <see cref="EntityState"/>, an <see cref="EntityDifference"/> or <see cref="BlamedField"/>s.</summary>
    /// <exception cref="HistoryException">There is no such entity or point, or too much would be folded.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    public async Task<string> AnswerAsync(TimeTravel travel, EntityFold fold, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(travel);
        ArgumentNullException.ThrowIfNull(fold);
        switch (Kind)
        {
            case "state":
                return JsonSerializer.Serialize(EntityState.Of(await travel.ReadAsync(fold, Stream, At, cancellationToken).ConfigureAwait(false), fold), JsonSerializerOptions.Web);
            case "blame":
                return JsonSerializer.Serialize(await travel.BlameAsync(fold, Stream, At, cancellationToken).ConfigureAwait(false), JsonSerializerOptions.Web);
            default:
                var (before, after, patch) = await travel.DiffAsync(fold, Stream, From ?? new PointInTime.AtVersion(StreamVersion.None), At, cancellationToken).ConfigureAwait(false);
                return JsonSerializer.Serialize(new EntityDifference(EntityState.Of(before, fold), EntityState.Of(after, fold), patch), JsonSerializerOptions.Web);
        }
    }
}

/// <summary>The state of an entity as it was.</summary>
/// <param name="Stream">The entity's stream.</param>
/// <param name="Version">The last event folded into it; 0: none.</param>
/// <param name="Position">Where that event is in the log.</param>
/// <param name="RecordedAt">When it was recorded; null: there is none.</param>
/// <param name="IsFinal">Whether it stays the answer.</param>
/// <param name="State">The state.</param>
public sealed record EntityState(string Stream, int Version, long Position, DateTimeOffset? RecordedAt, bool IsFinal, JsonElement State)
{
    internal static EntityState Of(StateReading reading, EntityFold fold) =>
        new(reading.Stream.Value, reading.Version.Value, reading.Position.Value, reading.RecordedAt, reading.IsFinal, fold.Show(reading.State));
}

/// <summary>What changed from one point to another.</summary>
/// <param name="From">The one.</param>
/// <param name="To">The other.</param>
/// <param name="Patch">What makes the one into the other, a JSON Patch (RFC 6902).</param>
public sealed record EntityDifference(EntityState From, EntityState To, IReadOnlyList<PatchOperation> Patch);

/// <summary>The work runs beside it, page by page on the history thread.</summary>
[GrainType("es-long-read"), PreferLocalPlacement]
internal sealed class LongReadGrain(TimeTravel travel, Entities entities, HistoryThread thread, HistoryOptions options, TimeProvider time) : Grain, ILongReadGrain
{
    private Operation<string>? _operation;
    private DateTimeOffset _begunAt;

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _operation?.Stop();
        return Task.CompletedTask;
    }

    public Task<string?> GetAsync(TimeSpan atMost)
    {
        DelayDeactivation(options.KeptFor);
        var read = LongRead.Parse(this.GetPrimaryKeyString());
        var fold = entities.Find(read.Stream.Type);
        if (_operation?.Status.State is null or OperationState.Failed || (_operation.Status.State == OperationState.Done && !read.IsFixed && time.GetUtcNow() - _begunAt > options.KeptFor))
        {
            _begunAt = time.GetUtcNow();
            _operation = new Operation<string>((progress, stop) => read.AnswerAsync(travel.UpTo(options.MaxEvents, folded => progress(folded, 0), thread), fold, stop));
        }

        return _operation.ResultAsync(atMost, time);
    }

    public Task<OperationStatus> GetStatusAsync() => Task.FromResult(_operation?.Status ?? new OperationStatus(OperationState.None, 0, 0));
}
