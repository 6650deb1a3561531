using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Grains;

namespace Orleans.EventSourced.Reactions;

/// <summary>An event, on its way to what follows from it.</summary>
/// <typeparam name="TEvent">The base type of the events that the reaction reads.</typeparam>
public sealed class ReactionContext<TEvent>
{
    private readonly CommandSender _sender;

    internal ReactionContext(RecordedEvent recorded, TEvent @event, CommandSender sender, IServiceProvider services, CancellationToken cancellationToken) =>
        (Recorded, Event, _sender, Services, CancellationToken) = (recorded, @event, sender, services, cancellationToken);

    /// <summary>The event as the log holds it.</summary>
    public RecordedEvent Recorded { get; }

    /// <summary>Its payload, brought up to the current version.</summary>
    public TEvent Event { get; }

    /// <summary>The silo's services.</summary>
    public IServiceProvider Services { get; }

    /// <summary>Cancelled when the handler takes too long or the silo stops; the event is handled again then.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>
    /// Sends a command, as the next one of this event: its id comes from the reaction, the event and the number of the command, so that it takes effect once however often the event is
    /// handled. Send them in an order that depends on the event alone. Causation is the event, the correlation is carried on, the actor is the reaction.
    /// </summary>
    /// <param name="send">Calls a grain.</param>
    /// <param name="expectedVersion">The version that the stream must have; null: whichever.</param>
    /// <returns>The answer. A refusal, or another version, is one too: it is counted and logged, and the event is dealt with unless the handler throws.</returns>
    /// <exception cref="InvalidOperationException">More than 1,000 commands of one event.</exception>
    public Task<CommandResult<TResult>> SendAsync<TResult>(Func<IGrainFactory, Task<CommandResult<TResult>>> send, int? expectedVersion = null)
    {
        ArgumentNullException.ThrowIfNull(send);
        return _sender.SendAsync(send, expectedVersion);
    }

    /// <summary>Calls a grain of another kind, with a command id and metadata as <see cref="SendAsync{TResult}"/> gives them.</summary>
    public Task<TResult> CallAsync<TResult>(Func<IGrainFactory, Task<TResult>> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return _sender.CallAsync(call, null);
    }

    /// <summary>The same, as the command with this number: where what is sent does not depend on the event alone, each of the things that may be sent has one.</summary>
    internal Task<TResult> CallAsync<TResult>(Func<IGrainFactory, Task<TResult>> call, int ordinal) => _sender.CallAsync(call, null, ordinal);
}
