using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Grains;

namespace Orleans.EventSourced.Reactions;

/// <summary>A row that has fallen due, on its way to what is due.</summary>
/// <typeparam name="TRow">The class of the row.</typeparam>
public sealed class DeadlineContext<TRow>
    where TRow : class
{
    private readonly CommandSender _sender;

    internal DeadlineContext(DueRow<TRow> due, CommandSender sender, IGrainFactory grains, IServiceProvider services, CancellationToken cancellationToken) =>
        (Due, _sender, Grains, Services, CancellationToken) = (due, sender, grains, services, cancellationToken);

    /// <summary>The row, its key, its time, and the last event folded into it.</summary>
    public DueRow<TRow> Due { get; }

    /// <summary>For questions to grains; commands go through <see cref="SendAsync{TResult}"/>.</summary>
    public IGrainFactory Grains { get; }

    /// <summary>The silo's services.</summary>
    public IServiceProvider Services { get; }

    /// <summary>Cancelled when the handler takes too long or the silo stops; the row is handled again then.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>
    /// Sends a command, as the next one of this deadline: its id comes from the deadline, the row's key and time, and the number of the command, so that it takes effect once however often
    /// the row is seen. Causation is the last event folded into the row, whose correlation is carried on; the actor is the deadline.
    /// </summary>
    /// <param name="send">Calls a grain.</param>
    /// <param name="expectedVersion">The version that the stream must have; null: whichever.</param>
    /// <returns>The answer. A refusal, or another version, is one too: it is counted and logged, and the row rests until it changes or its rest is over.</returns>
    /// <exception cref="InvalidOperationException">More than 1,000 commands of one row.</exception>
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
}
