using System.Reflection;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using EventId = Orleans.EventSourced.Core.Events.EventId;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>The last event folded into a view; <c>default</c> before the first.</summary>
/// <param name="Version">Its version.</param>
/// <param name="Position">Its position.</param>
/// <param name="Id">Its id.</param>
internal readonly record struct LastEvent(StreamVersion Version, LogPosition Position, Guid Id)
{
    public LastEvent(RecordedEvent recorded)
        : this(recorded.Version, recorded.Position, recorded.Id.Value)
    {
    }
}

/// <summary>
/// The snapshots of one grain: of states that declare a <see cref="FoldVersionAttribute"/> and that a snapshot holds whole, taken every so many events or after a slow load, written after the answer. One that
/// cannot be read or written costs time, never truth.
/// </summary>
internal sealed partial class Snapshots<TView>(StreamId stream, EventSourcingServices services)
    where TView : class, new()
{
    private static readonly TimeSpan SlowLoad = TimeSpan.FromMilliseconds(50);
    private static readonly Type StateType = new TView() is IFoldedView folded ? folded.StateType : typeof(TView);
    private static readonly FoldVersionAttribute? Declared = StateType.GetCustomAttribute<FoldVersionAttribute>();
    private StreamVersion _last;

    /// <summary>The fold by which snapshots are kept; null: none are.</summary>
    private FoldVersionAttribute? Fold { get; } = Declared is not null && services.SnapshotForm.Holds(StateType) ? Declared : null;

    /// <summary>Completes when the snapshot that is being written, if any, is.</summary>
    public Task Written { get; private set; } = Task.CompletedTask;

    /// <summary>What a state that is not folded here must have been made by: the declared version of the fold, else this very build of the state and its grain.</summary>
    public static string FoldOf(Type grain) => Declared is null ? $"{StateType.Module.ModuleVersionId}/{grain.Module.ModuleVersionId}" : $"{Declared.Version}";

    /// <summary>The newest snapshot of this fold; null when there is none, or none that can be read.</summary>
    public async Task<Snapshot?> ReadAsync()
    {
        if (Fold is null)
        {
            return null;
        }

        try
        {
            var snapshot = await services.Snapshots.ReadLatestAsync(await services.LogIdAsync(), stream, Fold.Version, upTo: null, CancellationToken.None);
            _last = snapshot?.Version ?? StreamVersion.None;
            return snapshot;
        }
        catch (Exception e)
        {
            // Whatever the store throws, at a row that makes no snapshot too: the events are the truth.
            StoreNotRead(services.Logger, stream.ToString(), e);
            return null;
        }
    }

    /// <summary>Drops the snapshots of a log that went back, as one restored from a backup does: they would stay the newest until it has as many events again.</summary>
    public async Task RejectAsync(Snapshot snapshot)
    {
        _last = StreamVersion.None;
        Rejected(services.Logger, stream.ToString(), snapshot.Version.Value);
        try
        {
            await services.Snapshots.DeleteAsync(snapshot.LogId, stream, snapshot.FoldVersion, CancellationToken.None);
        }
        catch (LogException e)
        {
            NotDropped(services.Logger, stream.ToString(), e);
        }
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

    public void Loaded(TView view, LastEvent last, int events, TimeSpan took)
    {
        if (took > SlowLoad && events > 0)
        {
            Take(view, last);
        }
        else
        {
            Consider(view, last);
        }
    }

    public void Consider(TView view, LastEvent last)
    {
        if (Fold is not null && last.Version.Value - _last.Value >= Fold.SnapshotEvery)
        {
            Take(view, last);
        }
    }

    private void Take(TView view, LastEvent last)
    {
        if (Fold is null || !Written.IsCompleted)
        {
            return;
        }

        _last = last.Version;
        try
        {
            // Serialized in this turn, because a mutable state may change in the next.
            var state = JsonSerializer.SerializeToUtf8Bytes(view is IFoldedView holder ? holder.State : view, StateType, services.Options.StateJson);
            Written = WriteAsync(last, Fold.Version, state);
        }
        catch (Exception e)
        {
            // The events are in the log; a state that cannot be written, whatever its serializer throws, costs only the snapshot.
            NotWritten(services.Logger, stream.ToString(), last.Version.Value, e);
        }
    }

    private async Task WriteAsync(LastEvent last, int foldVersion, byte[] state)
    {
        try
        {
            await Task.Yield();
            var snapshot = new Snapshot(await services.LogIdAsync(), stream, last.Version, last.Position, new EventId(last.Id), foldVersion, state);
            await services.Snapshots.WriteAsync(snapshot, CancellationToken.None);
        }
        catch (LogException e)
        {
            NotWritten(services.Logger, stream.ToString(), last.Version.Value, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshot of stream {Stream} at version {Version} does not fit its state and is passed over; raise [FoldVersion] on {State} whenever its shape changes")]
    private static partial void NotRead(ILogger logger, string stream, int version, string state, Exception cause);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshots of stream {Stream} cannot be read; it is folded from the beginning")]
    private static partial void StoreNotRead(ILogger logger, string stream, Exception cause);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshot of stream {Stream} at version {Version} is not of the events in the log, which was put back or replaced; its snapshots are dropped and it is folded from the beginning")]
    private static partial void Rejected(ILogger logger, string stream, int version);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshots of stream {Stream}, which are not of the events in the log, were not dropped; its next activation tries again")]
    private static partial void NotDropped(ILogger logger, string stream, Exception cause);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshot of stream {Stream} at version {Version} was not written; the stream is folded from an older one until the next")]
    private static partial void NotWritten(ILogger logger, string stream, int version, Exception cause);
}
