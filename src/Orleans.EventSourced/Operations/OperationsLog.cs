using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
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
    /// Does something, between a record that it is about to be done and one of what came of it. Without the first nothing is done. A caller's command (<see cref="CommandContext"/>) that took effect before does not take it again; two actions of one command
    /// are two operations. Tries of one command take turns (<see cref="OperationTurn"/>): what a later one finds open was left by one that crashed, or lost its log.
    /// </summary>
    /// <param name="operation">What is about to be done.</param>
    /// <param name="effect">Does it. It gets an earlier try under the same command of which is not known what came, or null; then it finds out first whether that one took effect.</param>
    /// <param name="answerAgain">The answer to a command of which is recorded that it took effect.</param>
    /// <exception cref="LogOutcomeUnknownException">It took effect, or may have, and that is not recorded, or another try of the command is at it still; send the same command again, or look.</exception>
    /// <exception cref="LogException">That it is about to be done could not be recorded, and nothing was done.</exception>
    internal async Task<T> PerformAsync<T>(Operation operation, Func<OperationRecord?, Task<Effect<T>>> effect, Func<OperationRecord, Task<T>> answerAgain)
    {
        if (!IsKept)
        {
            if (Interlocked.Exchange(ref _warned, 1) == 0)
            {
                NotKept(_logger, nameof(OperationEventTypes.AddOperationEvents));
            }

            return (await TakeEffectAsync(operation, effect, null)).Answer;
        }

        var (caller, asked, reason) = (CommandContext.Current, Text(operation.Asked)!, StorableText.Of(operation.Reason, SkippedEvent.MaxText));
        var actor = operation.Actor is null ? caller?.Actor : StorableText.Of(operation.Actor, SkippedEvent.MaxText);
        var id = caller is null ? CommandId.New(_time) : new CommandId(caller.Command).Nested($"operation\n{operation.Action}\n{operation.Target}\n{asked}\n{operation.Reason}\n{actor}", 0);
        var context = (caller ?? new CommandContext(id.Value) { Correlation = id.Value.ToString("D") }) with
        {
            Correlation = caller?.Correlation ?? (caller?.Command ?? id.Value).ToString("D"),
            Actor = actor,
            Reason = reason,
            RequestHash = null,
            ExpectedVersion = null,
        };
        var performed = context with { Command = id.Nested("performed", 0).Value, IsNamed = true };
        await using var turn = caller is { IsNamed: true } ? await OperationTurn.TakeAsync(_grains, id, _time, _logger) : null;
        if (caller is { IsNamed: true } && await InAsync(performed, g => g.FindAsync()) is { } known)
        {
            return await answerAgain(known);
        }

        var earlier = await InAsync(New(context), g => g.RequestAsync(new OperationCommand.Request(id.Value, operation.Action, operation.Target, reason, Text(operation.Before), asked)));
        Effect<T> came;
        try
        {
            came = await TakeEffectAsync(operation, effect, earlier);
        }
        catch (Exception e) when (e is LogRequestRefusedException or HistoryException or ArgumentException)
        {
            await DeclineAsync(e.Message);
            throw;
        }

        if (came.Declined is { } why)
        {
            await DeclineAsync(why);
            return came.Answer;
        }

        try
        {
            var complete = new OperationCommand.Complete(id.Value, operation.Action, operation.Target, reason, earlier is null ? Text(operation.Before) : earlier.Before, Text(came.After));
            await InAsync(performed, g => g.CompleteAsync(complete));
            return came.Answer;
        }
        catch (Exception e)
        {
            NotRecorded(_logger, operation.Action, operation.Target, operation.Actor, operation.Reason, e);
            throw new LogOutcomeUnknownException($"{operation.Action} of {operation.Target} took effect, and whether that is recorded is not known. Send the same command again, or look.", e);
        }

        // That this try came to nothing says nothing of an earlier one.
        async Task DeclineAsync(string why)
        {
            if (earlier is not null)
            {
                return;
            }

            try
            {
                await InAsync(New(context), g => g.DeclineAsync(new OperationCommand.Decline(id.Value, StorableText.Of(why, SkippedEvent.MaxText))));
            }
            catch (Exception e)
            {
                NotDeclined(_logger, operation.Action, operation.Target, operation.Actor, operation.Reason, e);
            }
        }
    }

    /// <summary>Does something that may be done again, and that by itself leaves what was asked for.</summary>
    /// <exception cref="LogOutcomeUnknownException">It took effect, or may have, and that is not recorded; do it again.</exception>
    /// <exception cref="LogException">That it is about to be done could not be recorded, and nothing was done.</exception>
    internal async Task PerformAsync(Operation operation, Func<Task> effect)
    {
        async Task<Effect<bool>> DoneAsync()
        {
            await effect();
            return new(true, operation.Asked);
        }

        await PerformAsync(operation, _ => DoneAsync(), _ => Task.FromResult(true));
    }

    private IOperationsGrain Grain => _grains.GetGrain<IOperationsGrain>(OperationsGrain.Key);

    /// <summary>What surely had no effect says so; any other failure may have come behind the effect.</summary>
    private static async Task<Effect<T>> TakeEffectAsync<T>(Operation operation, Func<OperationRecord?, Task<Effect<T>>> effect, OperationRecord? earlier)
    {
        try
        {
            return await effect(earlier);
        }
        catch (Exception e) when (e is not (LogRequestRefusedException or HistoryException or ArgumentException or LogOutcomeUnknownException or OperationCanceledException))
        {
            throw new LogOutcomeUnknownException($"{operation.Action} of {operation.Target} may have taken effect. Send the same command again, or look.", e);
        }
    }

    private CommandContext New(CommandContext context) => context with { Command = CommandId.New(_time).Value, IsNamed = false };

    private async Task<T> InAsync<T>(CommandContext context, Func<IOperationsGrain, Task<T>> call)
    {
        using (CommandContext.Begin(context))
        {
            return await call(Grain);
        }
    }

    private async Task InAsync(CommandContext context, Func<IOperationsGrain, Task> call)
    {
        using (CommandContext.Begin(context))
        {
            await call(Grain);
        }
    }

    /// <summary>What was recorded as how it stood.</summary>
    internal static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Json)!;

    private static string? Text(object? value) => value is null ? null : JsonSerializer.Serialize(value, Json);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What operators do is not recorded: add {Method} to the program's event types")]
    private static partial void NotKept(ILogger logger, string method);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Action} of {Target} took no effect, and it is not known whether that is recorded; by {Actor}, because: {Reason}")]
    private static partial void NotDeclined(ILogger logger, string action, string target, string? actor, string reason, Exception cause);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Action} of {Target} took effect, and it is not known whether that is recorded; by {Actor}, because: {Reason}")]
    private static partial void NotRecorded(ILogger logger, string action, string target, string? actor, string reason, Exception cause);
}

/// <summary>What an operator is about to do.</summary>
/// <param name="Action">One of <see cref="OperationActions"/>.</param>
/// <param name="Target">To what.</param>
/// <param name="Reason">Why.</param>
/// <param name="Actor">Who; null: the actor of the caller's command, if it has one.</param>
/// <param name="Before">How it stands.</param>
/// <param name="Asked">What exactly is asked for: with action, target and reason it tells the actions of one command apart.</param>
internal sealed record Operation(string Action, string Target, string Reason, string? Actor, object? Before, object Asked);

/// <summary>What came of what an operator did.</summary>
/// <param name="Answer">The caller's answer.</param>
/// <param name="After">How it stands by it; null: it is gone.</param>
/// <param name="Declined">Why nothing changed; null: it took effect.</param>
internal sealed record Effect<T>(T Answer, object? After, string? Declined = null);
