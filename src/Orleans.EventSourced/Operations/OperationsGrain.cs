using System.Text.Json;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Grains;

namespace Orleans.EventSourced.Operations;

/// <summary>Keeps the record of what operators did; there is one, <see cref="OperationsGrain.Key"/>.</summary>
[Alias("Orleans.EventSourced.IOperationsGrain")]
internal interface IOperationsGrain : IGrainWithStringKey
{
    /// <summary>Records what took effect, once for each command.</summary>
    [Alias("Record")]
    Task RecordAsync(RecordOperation operation);

    /// <summary>A page of the record, newest first.</summary>
    [Alias("List")]
    Task<OperationPage> ListAsync(string? target, long? before, int limit);
}

/// <summary>Record what took effect; <see cref="OperationPerformed"/> as it travels.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.RecordOperation")]
internal sealed record RecordOperation(
    [property: Id(0)] string Action,
    [property: Id(1)] string Target,
    [property: Id(2)] string Reason,
    [property: Id(3)] string? Before,
    [property: Id(4)] string? After);

/// <summary>What is known of the record without reading it. Nothing is decided by it: what operators did is a fact by the time it comes here.</summary>
/// <param name="Count">How much was done.</param>
[FoldVersion(1)]
internal sealed record OperationCount(int Count) : IDecider<OperationCount, RecordOperation, OperationEvent>
{
    public static OperationCount Initial { get; } = new(0);

    public static Decision<OperationEvent> Decide(OperationCount state, RecordOperation command) => Core.Deciding.Decide.Accept<OperationEvent>(
        new OperationPerformed(command.Action, command.Target, command.Reason, Parsed(command.Before), Parsed(command.After)));

    public static OperationCount Evolve(OperationCount state, OperationEvent @event) => new(state.Count + 1);

    private static JsonElement? Parsed(string? json) => json is null ? null : JsonElement.Parse(json);
}

/// <summary>One stream for all targets: operators act at the pace of people, and what happened lately is asked for more often than what happened to one view.</summary>
[GrainType(Type)]
internal sealed class OperationsGrain(JsonEventCodec codec) : EventSourcedGrain<OperationCount, OperationEvent>, IOperationsGrain
{
    public const string Type = "es-operations";
    public const string Key = "all";

    private const int PageEvents = 200;

    /// <summary>The most events that are looked at for one page: where few match, the page is short and the next one goes on.</summary>
    private const int MaxLooked = 2_000;

    public async Task RecordAsync(RecordOperation operation)
    {
        if (await ExecuteAsync(operation, OperationCount.Decide) is not Accepted<OperationEvent> and var refused)
        {
            throw new Core.Log.LogUnavailableException($"What was done to {operation.Target} could not be recorded: {refused.GetType().Name}.");
        }
    }

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
                if (codec.Decode(recorded) is OperationPerformed performed && (target is null || performed.Target == target))
                {
                    found.Add(OperationRecord.Of(recorded, performed));
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
}
