using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Grains;

namespace Orleans.EventSourced.Operations;

/// <summary>Keeps the record of what operators did; there is one, <see cref="OperationsGrain.Key"/>.</summary>
[Alias("Orleans.EventSourced.IOperationsGrain")]
internal interface IOperationsGrain : IGrainWithStringKey
{
    /// <summary>Records what is about to be done. An earlier try of it that has no outcome is answered; null: there is none.</summary>
    [Alias("Request")]
    Task<OperationRecord?> RequestAsync(OperationCommand.Request request);

    /// <summary>Records what took effect, once for each command.</summary>
    [Alias("Complete")]
    Task CompleteAsync(OperationCommand.Complete operation);

    /// <summary>Records that nothing came of it, unless it is known already what did.</summary>
    [Alias("Decline")]
    Task DeclineAsync(OperationCommand.Decline operation);

    /// <summary>What took effect under the command of the call; null: nothing that is recorded.</summary>
    [Alias("Find")]
    Task<OperationRecord?> FindAsync();

    /// <summary>A page of the record, newest first.</summary>
    [Alias("List")]
    Task<OperationPage> ListAsync(string? target, long? before, int limit);
}

/// <summary>One stream for all targets: operators act at the pace of people, and what happened lately is asked for more often than what happened to one view.</summary>
[GrainType(Type)]
internal sealed class OperationsGrain(JsonEventCodec codec) : EventSourcedGrain<OperationsState, OperationEvent>, IOperationsGrain
{
    public const string Type = "es-operations";
    public const string Key = "all";

    private const int PageEvents = 200;

    /// <summary>The most events that are looked at for one page: where few match, the page is short and the next one goes on.</summary>
    private const int MaxLooked = 2_000;

    public async Task<OperationRecord?> RequestAsync(OperationCommand.Request request)
    {
        var (accepted, isOpen) = (await AcceptedAsync(request), State.Open.TryGetValue(request.Operation, out var version));
        return accepted.Events.Count == 0 && isOpen ? Known((await ReadEventsAsync(version - 1, 1))[0]) : null;
    }

    public Task CompleteAsync(OperationCommand.Complete operation) => AcceptedAsync(operation);

    public Task DeclineAsync(OperationCommand.Decline operation) => AcceptedAsync(operation);

    /// <summary>Nothing is decided: only the first answer of the command is asked for, and its event is found by where that says it is.</summary>
    public async Task<OperationRecord?> FindAsync() =>
        await ExecuteAsync(0, static (_, _) => Decide.Refuse<OperationEvent>("not-performed", "Nothing is recorded under this command.")) is Accepted<OperationEvent> { Version: var version }
            ? Known((await ReadEventsAsync(version - 1, 1))[0])
            : null;

    public async Task<OperationPage> ListAsync(string? target, long? before, int limit)
    {
        await RefreshNow();
        var left = before <= Position ? await CountBeforeAsync(before.Value) : Version;
        var (found, looked, last) = (new List<OperationRecord>(), 0, 0L);
        while (left > 0 && looked < MaxLooked && found.Count < limit)
        {
            var from = Math.Max(0, left - PageEvents);
            foreach (var recorded in (await ReadEventsAsync(from, left - from)).Reverse())
            {
                (left, looked, last) = (left - 1, looked + 1, recorded.Position.Value);
                if (Known(recorded) is { } known && (target is null || known.Target == target))
                {
                    found.Add(known);
                    if (found.Count == limit)
                    {
                        break;
                    }
                }
            }
        }

        return new OperationPage(found, left > 0 ? last : null);
    }

    /// <summary>How many events of the stream stand before a position of the log: positions rise along a stream.</summary>
    private async Task<int> CountBeforeAsync(long position)
    {
        var (low, high) = (0, Version);
        while (low < high)
        {
            var middle = low + ((high - low + 1) / 2);
            (low, high) = (await ReadEventsAsync(middle - 1, 1))[0].Position.Value < position ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    /// <summary>What took effect, or may have; null: neither, or it is told by another event.</summary>
    private OperationRecord? Known(RecordedEvent recorded) => codec.Decode(recorded) switch
    {
        OperationPerformed performed => OperationRecord.Of(recorded, performed),
        OperationRequested requested when State.Open.GetValueOrDefault(requested.Operation) == recorded.Version.Value => OperationRecord.Of(recorded, requested),
        _ => null,
    };

    private async Task<Accepted<OperationEvent>> AcceptedAsync(OperationCommand command) => await ExecuteAsync(command, OperationsState.Decide) switch
    {
        Accepted<OperationEvent> accepted => accepted,
        var refused => throw new Core.Log.LogUnavailableException($"What operators do could not be recorded: {refused.GetType().Name}."),
    };
}
