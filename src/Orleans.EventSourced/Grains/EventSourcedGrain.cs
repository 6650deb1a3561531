using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.History;
using Orleans.EventSourced.LogConsistency;
using Orleans.EventSourcing;

namespace Orleans.EventSourced.Grains;

/// <summary>
/// The base of an event-sourced entity with an immutable state and pure functions: a command is decided against the state, its events are appended, and
/// the answer says where they stand in the log. It needs an explicit <c>[GrainType]</c>: the stream's name outlives the class's.
/// </summary>
/// <typeparam name="TState">The immutable state, with its fold.</typeparam>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
public abstract class EventSourcedGrain<TState, TEvent> : JournaledGrain<Folded<TState, TEvent>, TEvent>
    where TState : class, IFold<TState, TEvent>
    where TEvent : class
{
    private IEventLogViewAdaptor<TEvent>? _adaptor;
    private EventSourcingServices? _services;

    /// <summary>The state after the last confirmed event.</summary>
    protected new TState State => base.State.Value;

    /// <summary>The position of the stream's last event; 0 when it has none.</summary>
    protected long Position => Adaptor.Position.Value;

    /// <summary>The entity's key: the grain's, without what names the branch where it lives on one.</summary>
    protected string EntityKey => Adaptor.Stream.Key;

    private IEventLogViewAdaptor<TEvent> Adaptor => _adaptor ??= (IEventLogViewAdaptor<TEvent>)(GrainContext.GetComponent<IEventLogViewAdaptor>()
        ?? throw new InvalidOperationException("This grain runs without event sourcing: call AddEventSourcing on the silo builder."));

    private EventSourcingServices Services => _services ??= (EventSourcingServices)ServiceProvider.GetService(typeof(EventSourcingServices))!;

    /// <summary>
    /// Decides a command and appends its events. On a conflict with another writer it reads in the other's events and decides again, a bounded number of times, unless the
    /// caller named the version it expects. A command that was sent before under the same caller's id gets its first answer, whatever the state is now.
    /// </summary>
    /// <param name="command">The command.</param>
    /// <param name="decide">The pure decision, normally the state's static <c>Decide</c>.</param>
    /// <exception cref="LogException">The log is unavailable, overloaded or corrupt, or the fate of the append is unknown.</exception>
    protected async Task<CommandResult<TEvent>> ExecuteAsync<TCommand>(TCommand command, Func<TState, TCommand, Decision<TEvent>> decide)
    {
        ArgumentNullException.ThrowIfNull(decide);
        var invocation = CommandInvocation.Current?.NextExecution() ?? Services.NewInvocation();
        if (invocation.Context.IsNamed && Adaptor.Recent.Count > 0 && await FirstAnswerAsync(invocation, recentOnly: true) is { } first)
        {
            return first;
        }

        var (conflicts, behind) = (0, 0);
        while (conflicts <= Services.Options.MaxConflicts && behind <= Services.Options.MaxConflicts + 1)
        {
            // Events under way, of an interleaved call or raised and not yet confirmed, are part of the state to be decided on.
            await Adaptor.NothingPendingAsync();
            if (invocation.Context.ExpectedVersion > Version)
            {
                // Who names a version that this activation has not seen may have it from a twin's answer.
                await Adaptor.RefreshAsync();
                await Adaptor.NothingPendingAsync();
            }

            if (invocation.Context.ExpectedVersion is { } expected && expected != Version)
            {
                return await FirstAnswerOrAsync(invocation, new VersionMismatch<TEvent>(Version));
            }

            var decision = (Adaptor.Branch?.DeciderOf<Func<TState, TCommand, Decision<TEvent>>>(Adaptor.Stream.Type) ?? decide)(State, command);
            if (decision is not Decision<TEvent>.Accept { Events.Count: > 0 } && await WasBehindAsync())
            {
                // No append will find out that another activation has written, so that the log is asked.
                behind++;
                continue;
            }

            switch (decision)
            {
                case Decision<TEvent>.Refuse refuse:
                    return await FirstAnswerOrAsync(invocation, new Rejected<TEvent>(refuse.Code, refuse.Reason));
                case Decision<TEvent>.Accept { Events.Count: 0 }:
                    return await FirstAnswerOrAsync(invocation, new Accepted<TEvent>(Version, Position, [], IsRepeated: false));
                case Decision<TEvent>.Accept { Events: var events }:
                    switch (await Adaptor.AppendAsync(events, invocation))
                    {
                        case AppendOutcome.Appended appended:
                            return new Accepted<TEvent>(appended.Version.Value, appended.Position.Value, events, IsRepeated: false);
                        case AppendOutcome.Duplicate or AppendOutcome.IdReused:
                            // Decided again in another state, the command may give other events than the first time: its first answer still holds.
                            return await AnswerOfWrittenAsync(invocation);
                        case AppendOutcome.Conflict when invocation.Context.ExpectedVersion is not null:
                            return new VersionMismatch<TEvent>(Version);
                        case AppendOutcome.Conflict:
                            // Another writer was first; its events are read in, decide again.
                            conflicts++;
                            break;
                        case var outcome:
                            throw new InvalidOperationException($"An append was answered {outcome}.");
                    }

                    break;
                default:
                    throw new InvalidOperationException($"'{decision}' is neither accepted nor refused.");
            }
        }

        // So many lost conflicts in a row may come from an activation that has a twin; one that starts again finds its place.
        DeactivateOnIdle();
        return new Contended<TEvent>();
    }

    /// <summary>The key of another entity where this one lives: on the same branch, or on the trunk. Whoever calls entities by it can be asked what if.</summary>
    /// <param name="key">The other entity's own key.</param>
    protected string KeyBeside(string key) => Adaptor.Branch is { } branch ? BranchKey.Of(branch.Id, key) : key;

    /// <summary>The events of this stream after a version, as they are in the log: with metadata, position and time.</summary>
    /// <param name="after">The version before the first wanted, 0 or more.</param>
    /// <param name="maxEvents">The most events wanted, 1 or more.</param>
    protected Task<IReadOnlyList<RecordedEvent>> ReadEventsAsync(int after, int maxEvents) => Adaptor.ReadAsync(new StreamVersion(after), maxEvents);

    /// <inheritdoc/>
    protected sealed override void TransitionState(Folded<TState, TEvent> state, TEvent @event)
    {
        ArgumentNullException.ThrowIfNull(state);
        state.Value = Adaptor.Branch?.FoldOf(Adaptor.Stream.Type) is { } other ? (TState)other.Evolve(state.Value, @event) : TState.Evolve(state.Value, @event);
    }

    /// <summary>Whether the log had events of this stream that the state lacked; they are read in.</summary>
    private async Task<bool> WasBehindAsync()
    {
        var version = Version;
        await Adaptor.RefreshAsync();
        return Version != version;
    }

    /// <summary>The first answer of a command whose id is in the log, by this call or by one before it: that it cannot be read now does not make it unwritten.</summary>
    private async Task<CommandResult<TEvent>> AnswerOfWrittenAsync(CommandInvocation invocation)
    {
        try
        {
            return await FirstAnswerOrAsync(invocation, new IdReused<TEvent>());
        }
        catch (LogUnavailableException e)
        {
            throw new LogOutcomeUnknownException("The command is in the log, and what became of it cannot be read now. Send it again to learn it.", e);
        }
    }

    private async Task<CommandResult<TEvent>> FirstAnswerOrAsync(CommandInvocation invocation, CommandResult<TEvent> otherwise) =>
        invocation.Context.IsNamed || otherwise is IdReused<TEvent> ? await FirstAnswerAsync(invocation, recentOnly: false) ?? otherwise : otherwise;

    /// <summary>The answer that this command got when it was sent before; null when it was not, or was refused.</summary>
    private async Task<CommandResult<TEvent>?> FirstAnswerAsync(CommandInvocation invocation, bool recentOnly)
    {
        var id = EventId.Derive(invocation.Command, Adaptor.Stream, 0);
        var first = recentOnly ? Adaptor.Recent.FirstOrDefault(e => e.Id == id) : await Adaptor.FindAsync(id);
        if (first is null)
        {
            return null;
        }

        if (EventMetadata.Parse(first.Metadata).RequestHash != invocation.Context.RequestHash)
        {
            return new IdReused<TEvent>();
        }

        if (first.Version.Value > Version)
        {
            await Adaptor.RefreshAsync();
        }

        var events = await EventsOfAsync(invocation.Command, first);
        return new Accepted<TEvent>(events[^1].Version.Value, events[^1].Position.Value, [.. events.Select(Adaptor.Decode)], IsRepeated: true);
    }

    /// <summary>The events of a command stand side by side; its first one is known.</summary>
    private async Task<IReadOnlyList<RecordedEvent>> EventsOfAsync(CommandId command, RecordedEvent first)
    {
        var known = Adaptor.Recent;
        var from = known.Count > 0 && known.First().Version <= first.Version
            ? known.SkipWhile(e => e.Version < first.Version)
            : await ReadEventsAsync(first.Version.Value - 1, AppendRequest.MaxEvents);
        return [.. from.TakeWhile((e, n) => e.Id == EventId.Derive(command, Adaptor.Stream, n))];
    }
}
