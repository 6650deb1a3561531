using System.Reflection;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>
/// The snapshots of one grain: of states that declare a <see cref="FoldVersionAttribute"/>, taken every so many events or after a slow load, written after the answer. One that
/// cannot be read or written costs time, never truth.
/// </summary>
internal sealed partial class Snapshots<TView>(StreamId stream, EventSourcingServices services)
    where TView : class, new()
{
    private static readonly TimeSpan SlowLoad = TimeSpan.FromMilliseconds(50);
    private static readonly Type StateType = new TView() is IFoldedView folded ? folded.StateType : typeof(TView);
    private static readonly FoldVersionAttribute? Fold = StateType.GetCustomAttribute<FoldVersionAttribute>();
    private StreamVersion _last;

    /// <summary>Completes when the snapshot that is being written, if any, is.</summary>
    public Task Written { get; private set; } = Task.CompletedTask;

    /// <summary>What a state that is not folded here must have been made by: the declared version of the fold, else this very build of the state and its grain.</summary>
    public static string FoldOf(Type grain) => Fold is null ? $"{StateType.Module.ModuleVersionId}/{grain.Module.ModuleVersionId}" : $"{Fold.Version}";

    public async Task<Snapshot?> ReadAsync()
    {
        if (Fold is null)
        {
            return null;
        }

        var snapshot = await services.Snapshots.ReadLatestAsync(stream, Fold.Version, upTo: null, CancellationToken.None);
        _last = snapshot?.Version ?? StreamVersion.None;
        return snapshot;
    }

    /// <summary>The view that a snapshot holds; null when its JSON does not fit the state, which then is folded from the beginning.</summary>
    public TView? Restore(Snapshot snapshot, TView target)
    {
        try
        {
            var state = JsonSerializer.Deserialize(snapshot.State.Span, StateType, services.Options.StateJson) ?? throw new JsonException("the state is null.");
            if (target is not IFoldedView holder)
            {
                return (TView)state;
            }

            holder.State = state;
            return target;
        }
        catch (Exception e)
        {
            // Whatever the state's constructors and setters throw: the events are the truth.
            NotRead(services.Logger, stream.ToString(), snapshot.Version.Value, StateType.ToString(), e);
            _last = StreamVersion.None;
            return null;
        }
    }

    public void Loaded(TView view, StreamVersion version, LogPosition position, int events, TimeSpan took)
    {
        if (took > SlowLoad && events > 0)
        {
            Take(view, version, position);
        }
        else
        {
            Consider(view, version, position);
        }
    }

    public void Consider(TView view, StreamVersion version, LogPosition position)
    {
        if (Fold is not null && version.Value - _last.Value >= Fold.SnapshotEvery)
        {
            Take(view, version, position);
        }
    }

    private void Take(TView view, StreamVersion version, LogPosition position)
    {
        if (Fold is null || !Written.IsCompleted)
        {
            return;
        }

        _last = version;
        try
        {
            // Serialized in this turn, because a mutable state may change in the next.
            var state = JsonSerializer.SerializeToUtf8Bytes(view is IFoldedView holder ? holder.State : view, StateType, services.Options.StateJson);
            Written = WriteAsync(new Snapshot(stream, version, position, Fold.Version, state));
        }
        catch (Exception e)
        {
            // The events are in the log; a state that cannot be written, whatever its serializer throws, costs only the snapshot.
            NotWritten(services.Logger, stream.ToString(), version.Value, e);
        }
    }

    private async Task WriteAsync(Snapshot snapshot)
    {
        try
        {
            await Task.Yield();
            await services.Snapshots.WriteAsync(snapshot, CancellationToken.None);
        }
        catch (LogException e)
        {
            NotWritten(services.Logger, snapshot.Stream.ToString(), snapshot.Version.Value, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshot of stream {Stream} at version {Version} does not fit its state and is passed over; raise [FoldVersion] on {State} whenever its shape changes")]
    private static partial void NotRead(ILogger logger, string stream, int version, string state, Exception cause);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshot of stream {Stream} at version {Version} was not written; the stream is folded from an older one until the next")]
    private static partial void NotWritten(ILogger logger, string stream, int version, Exception cause);
}
