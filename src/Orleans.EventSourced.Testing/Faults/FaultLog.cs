using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary>
/// A log whose calls go wrong as a plan says: an append that surely was not written fails with <see cref="LogUnavailableException"/>, one whose fate its caller does not learn with
/// <see cref="LogOutcomeUnknownException"/>, one that lost a race with <see cref="LogRaceException"/>, a read with <see cref="LogUnavailableException"/>. What the log holds is always right.
/// Safe for concurrent use.
/// </summary>
/// <example>
/// The next append is written, and its reply is lost:
/// <code>
/// var plan = new FaultPlan().NextWrite(FaultKind.LostReply);
/// var log = new FaultLog(new InMemoryEventLog(TimeProvider.System), plan, TimeProvider.System);
/// </code>
/// </example>
public sealed class FaultLog : IEventLog
{
    private readonly IEventLog _inner;
    private readonly FaultyWay _way;

    /// <param name="inner">The log that does the work.</param>
    /// <param name="plan">What goes wrong: appends are its writes.</param>
    /// <param name="time">The clock of delays.</param>
    public FaultLog(IEventLog inner, FaultPlan plan, TimeProvider time)
        : this(inner, plan, time, null)
    {
    }

    internal FaultLog(IEventLog inner, FaultPlan plan, TimeProvider time, Func<Task>? gate)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(time);
        (_inner, _way) = (inner, new FaultyWay(plan, time, gate));
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken) => _way.WriteAsync(
        () => _inner.AppendAsync(batch, CancellationToken.None),
        static message => new LogOutcomeUnknownException(message),
        static () => throw new LogRaceException("The plan of faults lets another writer win."),
        cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken) =>
        _way.ReadAsync(token => _inner.ReadStreamsAsync(reads, token), cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) =>
        _way.ReadAsync(token => _inner.ReadLogAsync(after, maxEvents, token), cancellationToken);

    /// <inheritdoc/>
    public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => _way.ReadAsync(_inner.ReadHeadAsync, cancellationToken);

    /// <inheritdoc/>
    public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => _way.ReadAsync(token => _inner.FindCommandAsync(command, token), cancellationToken);

    /// <inheritdoc/>
    public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => _way.ReadAsync(token => _inner.FindEventAsync(id, token), cancellationToken);

    /// <summary>Completes when the late requests that are on their way by now have arrived.</summary>
    public Task SettleAsync() => _way.SettleAsync();
}
