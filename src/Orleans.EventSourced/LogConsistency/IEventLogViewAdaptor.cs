using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.History;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>What the adaptor of a grain shows to the rest of the silo; it is a component of the grain's context.</summary>
internal interface IEventLogViewAdaptor
{
    StreamId Stream { get; }

    /// <summary>The branch that the grain lives on; null: it is on the trunk.</summary>
    BranchScope? Branch { get; }

    /// <summary>Stops a call to a grain of a branch that is not there any more, or has another past by now.</summary>
    Task ThrowIfNotOnBranchAsync();

    /// <summary>The position of the last confirmed event; 0 when there is none.</summary>
    LogPosition Position { get; }

    /// <summary>The events of the stream's end that are still in memory, oldest first.</summary>
    IReadOnlyCollection<RecordedEvent> Recent { get; }

    /// <summary>Throws what broke this activation, if anything did.</summary>
    void ThrowIfBroken();

    /// <summary>Stops a new call to an activation that could not be loaded (with that error) or that an earlier call broke (with one that says so).</summary>
    void ThrowIfOutOfService();

    /// <summary>Writes what moves with the grain to another silo.</summary>
    void Dehydrate(IDehydrationContext target);
}

/// <summary>The same, for the grain itself: it also appends.</summary>
/// <typeparam name="TEntry">The base type of the entity's events.</typeparam>
internal interface IEventLogViewAdaptor<TEntry> : IEventLogViewAdaptor
{
    /// <summary>Completes when no event of this activation is under way to the log: the confirmed state is all there is to decide on.</summary>
    Task NothingPendingAsync();

    /// <summary>Appends behind exactly the version now confirmed, and tells what became of it. A conflict has been read in when it returns.</summary>
    Task<AppendOutcome> AppendAsync(IReadOnlyList<TEntry> entries, CommandInvocation invocation);

    /// <summary>The events after a version, as they are in the log.</summary>
    Task<IReadOnlyList<RecordedEvent>> ReadAsync(StreamVersion after, int maxEvents);

    /// <summary>The event with this id, from memory or the log; null when there is none.</summary>
    Task<RecordedEvent?> FindAsync(EventId id);

    /// <summary>Reads in what others have appended.</summary>
    Task RefreshAsync();

    /// <summary>The event as an object.</summary>
    TEntry Decode(RecordedEvent recorded);
}
