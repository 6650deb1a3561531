using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Reactions;
using EventId = Orleans.EventSourced.Core.Events.EventId;

namespace Orleans.EventSourced.Mutations;

/// <summary>
/// Executes what sessions ask for: a reaction to their events. Its checkpoint is what finds requests that are open after a crash, each session's are executed in order, and one that was
/// executed but not recorded is sent again under its id, so that it has one effect. While the log does not answer, all wait for it; an entity or a session that fails alone holds up the others
/// for a few tries.
/// </summary>
internal sealed partial class MutationRunner(RegisteredMutations mutations, IGrainFactory grains, IEventLog log, ILogger<MutationRunner> logger)
{
    /// <summary>The reaction's name.</summary>
    public const string Name = "es-mutations";

    /// <summary>The kind of source of what it executes.</summary>
    public const string Origin = "mutation";

    /// <summary>How often an entity is asked that does not answer: the waits between come to 6 s, beside the time that the calls take.</summary>
    private const int MaxTries = 8;

    /// <summary>How often one is asked that throws: its fault may pass, as that of a silo that is about to stop.</summary>
    private const int MaxFaults = 3;

    private readonly ConcurrentDictionary<(EventId Request, bool IsRecorded), int> _tries = new();

    public async Task HandleAsync(ReactionContext<SessionEvent> context)
    {
        if (context.Event is not MutationRequested request)
        {
            return;
        }

        var fate = await ExecuteAsync(request, context.Recorded);

        // A run that was given up may have come to another end than the one that took its place.
        context.CancellationToken.ThrowIfCancellationRequested();
        await RecordAsync(fate, context);
        _tries.TryRemove((context.Recorded.Id, false), out _);
        _tries.TryRemove((context.Recorded.Id, true), out _);
    }

    private async Task<MutationFate> ExecuteAsync(MutationRequested request, RecordedEvent recorded)
    {
        if (mutations.Find(request.Command) is not { } registered)
        {
            return MutationRejected.Of(request, "unknown-command", $"The program that executes mutations does not know '{request.Command}'.");
        }

        // Counted before the call, which may never return.
        var tries = _tries.AddOrUpdate((recorded.Id, false), 1, static (_, n) => n + 1);
        try
        {
            if (tries > MaxTries)
            {
                throw new TimeoutException($"The entity did not answer {MaxTries} times.");
            }

            using (CommandContext.Begin(Context(request, recorded)))
            {
                return await registered.SendAsync(grains, request);
            }
        }
        catch (Exception e) when (IsOutageOfLog(e))
        {
            _tries.AddOrUpdate((recorded.Id, false), 0, static (_, n) => n - 1);
            throw;
        }
        catch (Exception e) when (tries >= (IsNoAnswer(e) ? MaxTries : MaxFaults))
        {
            // It may have failed behind its append.
            var entity = new StreamId(registered.StreamType, request.Target);
            return await FindAsync(request, entity) as MutationFate
                ?? (IsNoAnswer(e) ? MutationUnknown.Of(request, $"'{entity}' gave no answer: {e.Message}") : MutationRejected.Of(request, "failed", e.Message));
        }
        catch (Exception e)
        {
            throw new LogUnavailableException($"'{registered.StreamType}/{request.Target}' failed at try {tries} of a mutation, which is sent again: {e.Message}", e);
        }
    }

    private async Task RecordAsync(MutationFate fate, ReactionContext<SessionEvent> context)
    {
        var session = context.Recorded.Stream.Key;
        try
        {
            // Another fate is another command: an effect may follow on a refusal that a run before a crash had recorded.
            await context.CallAsync(g => g.GetGrain<ISessionGrain>(session).ExecuteAsync(new RecordFate(fate)), fate is MutationAccepted ? 0 : fate is MutationRejected ? 1 : 2);
        }
        catch (Exception e) when (!IsOutageOfLog(e) && !IsNoAnswer(e))
        {
            var tries = _tries.AddOrUpdate((context.Recorded.Id, true), 1, static (_, n) => n + 1);
            if (tries < MaxFaults)
            {
                throw new LogUnavailableException($"The session '{session}' failed at try {tries} of recording a fate, which is sent again: {e.Message}", e);
            }

            NotRecorded(logger, fate, session, e);
        }
    }

    /// <summary>What the mutation wrote to the entity's stream; null: nothing.</summary>
    private async Task<MutationAccepted?> FindAsync(MutationRequested request, StreamId stream)
    {
        var command = new CommandId(request.Mutation);
        if (await log.FindEventAsync(EventId.Derive(command, stream, 0), CancellationToken.None) is not { } first || EventMetadata.Parse(first.Metadata).RequestHash != request.RequestHash)
        {
            return null;
        }

        var from = (await log.ReadStreamsAsync([new StreamRead(stream, new StreamVersion(first.Version.Value - 1), AppendRequest.MaxEvents)], CancellationToken.None))[0];
        var made = from.TakeWhile((e, n) => e.Id == EventId.Derive(command, stream, n)).ToList();
        return new MutationAccepted(request.Mutation, stream.Value, made[^1].Version.Value, made[^1].Position.Value, made.Count);
    }

    private static CommandContext Context(MutationRequested request, RecordedEvent recorded)
    {
        var metadata = EventMetadata.Parse(recorded.Metadata);
        return new CommandContext(request.Mutation)
        {
            IsNamed = true,
            Correlation = metadata.Correlation,
            Causation = recorded.Id.ToString(),
            Actor = metadata.Actor,
            Reason = metadata.Reason,
            Origin = Origin,
            TraceParent = metadata.TraceParent,
            RequestHash = request.RequestHash,
            ExpectedVersion = request.ExpectedVersion,
        };
    }

    /// <summary>The log's own: nobody's mutation can take effect.</summary>
    private static bool IsOutageOfLog(Exception e) => e is LogUnavailableException or LogOverloadedException or LogOutcomeUnknownException;

    /// <summary>The entity did not say what became of the command: it, its silo, or a program too old for its events.</summary>
    private static bool IsNoAnswer(Exception e) => Cause.IsOutage(e) || e is OperationCanceledException or ObjectDisposedException or OrleansException or UnknownEventTypeException;

    [LoggerMessage(Level = LogLevel.Error, Message = "{Fate} cannot be recorded in the session '{Session}', and is left out there; what took effect stays in the entity's stream")]
    private static partial void NotRecorded(ILogger logger, MutationFate fate, string session, Exception cause);
}
