using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Operations;

/// <summary>What operators did: to views, rebuilds and reactions by their controls, and to branches. Safe for concurrent use, from any silo.</summary>
public sealed partial class OperationsLog
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerOptions.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    private readonly IGrainFactory _grains;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private int _warned;

    internal OperationsLog(IGrainFactory grains, EventTypeMap types, TimeProvider time, ILogger logger) =>
        (_grains, IsKept, _time, _logger) = (grains, types.Names.ContainsKey(OperationEventTypes.Performed), time, logger);

    /// <summary>The most records of one page.</summary>
    public const int MaxPage = 1_000;

    /// <summary>Whether this program records what operators do: its event types have <see cref="OperationEventTypes.AddOperationEvents"/>. Without, they can do the same, and one warning is logged.</summary>
    public bool IsKept { get; }

    /// <summary>A page of the record, newest first.</summary>
    /// <param name="target">Only what was done to it: <c>view:NAME</c>, <c>reaction:NAME</c> or <c>branch:NAME</c>; null: everything.</param>
    /// <param name="before">Only what stands before this position of the log; null: from the newest on.</param>
    /// <param name="limit">How many at most, 1 to <see cref="MaxPage"/>. With a target a page may be shorter, or empty, and yet have a next one: as much of the record is looked at once as is bounded.</param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not so.</exception>
    /// <exception cref="InvalidOperationException">This program keeps no record.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    public Task<OperationPage> ListAsync(string? target = null, LogPosition? before = null, int limit = 100)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, MaxPage);
        return IsKept ? Grain.ListAsync(target, before?.Value, limit)
            : throw new InvalidOperationException($"This program keeps no record of what operators do: add {nameof(OperationEventTypes.AddOperationEvents)} to its event types.");
    }

    internal static string ViewTarget(ViewId view) => $"view:{view.Name}";

    /// <summary>What keeps something from going on, as it is recorded.</summary>
    internal static string? Fault(string? fault) => fault is null ? null : StorableText.Of(fault, SkippedEvent.MaxText);

    /// <summary>Refuses what no operator can have said, before anything is done.</summary>
    /// <exception cref="ArgumentException">The reason or the actor; the message says why.</exception>
    internal static void Check(string reason, string? actor) => ViewEdition.Check(reason, actor);

    /// <summary>
    /// Records what took effect. A caller's command (<see cref="CommandContext"/>) that is run again and has the same effect again is recorded once; two effects of one command are two records.
    /// </summary>
    /// <exception cref="LogException">It took effect, and whether it is recorded is not known: the program's own log has it.</exception>
    internal async Task RecordAsync(string action, string target, string reason, string? actor, object? before, object? after)
    {
        if (!IsKept)
        {
            if (Interlocked.Exchange(ref _warned, 1) == 0)
            {
                NotKept(_logger, nameof(OperationEventTypes.AddOperationEvents));
            }

            return;
        }

        var operation = new RecordOperation(action, target, StorableText.Of(reason, SkippedEvent.MaxText), Text(before), Text(after));
        try
        {
            using (CommandContext.Begin(ContextOf(operation, actor)))
            {
                await Grain.RecordAsync(operation);
            }
        }
        catch (Exception e)
        {
            NotRecorded(_logger, action, target, actor, reason, e);
            throw;
        }
    }

    private IOperationsGrain Grain => _grains.GetGrain<IOperationsGrain>(OperationsGrain.Key);

    /// <summary>The caller's command has event ids of its own: each effect of it gets others.</summary>
    private CommandContext ContextOf(RecordOperation operation, string? actor)
    {
        var context = CommandContext.Current is { } caller
            ? caller with
            {
                Command = new CommandId(caller.Command).Nested($"operation\n{operation.Action}\n{operation.Target}\n{operation.After}\n{operation.Reason}", 0).Value,
                Correlation = caller.Correlation ?? caller.Command.ToString("D"),
                RequestHash = null,
                ExpectedVersion = null,
            }
            : new CommandContext(CommandId.New(_time).Value);
        return context with { Actor = actor is null ? context.Actor : StorableText.Of(actor, SkippedEvent.MaxText), Reason = operation.Reason };
    }

    private static string? Text(object? value) => value is null ? null : JsonSerializer.Serialize(value, Json);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What operators do is not recorded: add {Method} to the program's event types")]
    private static partial void NotKept(ILogger logger, string method);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Action} of {Target} took effect, and it is not known whether that is recorded; by {Actor}, because: {Reason}")]
    private static partial void NotRecorded(ILogger logger, string action, string target, string? actor, string reason, Exception cause);
}

/// <summary>A page of what operators did, newest first.</summary>
/// <param name="Operations">What they did.</param>
/// <param name="Next">The position before which the next page begins; null: there is no more.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.OperationPage")]
public sealed record OperationPage([property: Id(0)] IReadOnlyList<OperationRecord> Operations, [property: Id(1)] long? Next);

/// <summary>Something that an operator did, and that took effect.</summary>
/// <param name="Position">Its place in the log.</param>
/// <param name="At">When it was recorded, in UTC, just after it took effect.</param>
/// <param name="Actor">Who; null: not known.</param>
/// <param name="Action">What: one of <see cref="OperationActions"/>.</param>
/// <param name="Target">To what.</param>
/// <param name="Reason">Why.</param>
/// <param name="Before">How it stood just before, as JSON; null: there was none.</param>
/// <param name="After">How it stood by this action, as JSON; null: it was gone.</param>
/// <param name="Correlation">The workflow that it belongs to; null: not known.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.OperationRecord")]
public sealed record OperationRecord(
    [property: Id(0)] long Position,
    [property: Id(1)] DateTimeOffset At,
    [property: Id(2)] string? Actor,
    [property: Id(3)] string Action,
    [property: Id(4)] string Target,
    [property: Id(5)] string Reason,
    [property: Id(6)] string? Before,
    [property: Id(7)] string? After,
    [property: Id(8)] string? Correlation)
{
    internal static OperationRecord Of(RecordedEvent recorded, OperationPerformed performed)
    {
        var metadata = EventMetadata.TryParse(recorded.Metadata);
        return new(
            recorded.Position.Value, recorded.RecordedAt, metadata?.Actor, performed.Action, performed.Target, performed.Reason, performed.Before?.GetRawText(), performed.After?.GetRawText(), metadata?.Correlation);
    }
}
