using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Grains;
using Orleans.Runtime.Messaging;

namespace Orleans.EventSourced.Reactions;

/// <summary>
/// Sends the commands of one run of a handler. They are numbered in the order in which they are sent, and each has an id derived from its cause and its number: a further run for the same cause
/// sends the same commands again, and gets their first answers.
/// </summary>
internal sealed partial class CommandSender(string actor, string origin, Func<int, CommandId> idOf, Func<Task<Cause>> cause, IGrainFactory grains, ILogger logger)
{
    /// <summary>The most commands of one run.</summary>
    public const int MaxCommands = 1_000;

    private int _sent;

    public async Task<CommandResult<TResult>> SendAsync<TResult>(Func<IGrainFactory, Task<CommandResult<TResult>>> send, int? expectedVersion)
    {
        var result = await CallAsync(send, expectedVersion);
        switch (result)
        {
            case Accepted<TResult> { IsRepeated: var isRepeated }:
                ReactionInstruments.Answered(actor, isRepeated ? "repeated" : "accepted");
                break;
            case Rejected<TResult> rejected:
                ReactionInstruments.Answered(actor, "rejected");
                Refused(logger, actor, rejected.Code, rejected.Reason);
                break;
            case VersionMismatch<TResult> mismatch:
                ReactionInstruments.Answered(actor, "mismatch");
                Refused(logger, actor, "version-mismatch", $"The stream has version {mismatch.Actual}, expected was {expectedVersion}.");
                break;
            case Contended<TResult>:
                ReactionInstruments.Answered(actor, "contended");
                throw new LogUnavailableException("Other writers changed the entity each time the command was decided; it is sent again.");
            case var other:
                throw new InvalidOperationException($"A command of {actor} was answered {other}: its id is in the log as that of another command.");
        }

        return result;
    }

    public Task<TResult> CallAsync<TResult>(Func<IGrainFactory, Task<TResult>> call, int? expectedVersion)
    {
        var ordinal = Interlocked.Increment(ref _sent) - 1;
        return ordinal < MaxCommands
            ? CallAsync(call, expectedVersion, ordinal)
            : throw new InvalidOperationException($"A handler of {actor} sends more than {MaxCommands} commands at once.");
    }

    /// <summary>The same, where the sender numbers its commands itself.</summary>
    public async Task<TResult> CallAsync<TResult>(Func<IGrainFactory, Task<TResult>> call, int? expectedVersion, int ordinal)
    {
        var (id, correlation, traceParent) = await cause();
        var context = new CommandContext(idOf(ordinal).Value)
        {
            IsNamed = true,
            Correlation = correlation,
            Causation = id,
            Actor = actor,
            Origin = origin,
            TraceParent = traceParent,
            ExpectedVersion = expectedVersion,
        };
        using (CommandContext.Begin(context))
        {
            return await call(grains);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "A command of {Sender} was refused, and that is its answer: {Code}, {Reason}")]
    private static partial void Refused(ILogger logger, string sender, string code, string reason);
}

/// <summary>Why a command is sent: an event, and the workflow that it belongs to.</summary>
internal sealed record Cause(string? Id, string? Correlation, string? TraceParent)
{
    public static Cause Of(RecordedEvent recorded)
    {
        var metadata = EventMetadata.Parse(recorded.Metadata);
        return new Cause(recorded.Id.ToString(), metadata.Correlation ?? metadata.Command.ToString(), metadata.TraceParent);
    }

    /// <summary>Whether an exception says that a grain, a silo or the log did not answer.</summary>
    public static bool IsOutage(Exception exception) => Reaction.IsOutage(exception) || exception is SiloUnavailableException or ConnectionFailedException or OrleansMessageRejectionException;
}
