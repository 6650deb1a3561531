using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// The append-only log: one total order, positions without gaps in commit order, streams with versions without gaps. Implementations are
/// safe for concurrent use. They make one try per call; group commit retries and resolves doubt.
/// </summary>
public interface IEventLog
{
    /// <summary>
    /// Writes a batch in one transaction and answers one outcome a request, in order. When it returns, what it calls
    /// <see cref="AppendOutcome.Appended"/> is durable.
    /// </summary>
    /// <param name="batch">1 or more requests. A second request for one stream is answered <see cref="AppendOutcome.Deferred"/>.</param>
    /// <param name="cancellationToken">Ends the wait for a connection. Once the batch is sent it is not cancelled.</param>
    /// <exception cref="LogRaceException">A racing writer won; send the same batch again at once.</exception>
    /// <exception cref="LogUnavailableException">Surely not written by this try.</exception>
    /// <exception cref="LogOutcomeUnknownException">The reply was lost: written or not. Send the same batch again.</exception>
    /// <exception cref="LogRequestRefusedException">The store refused the content of one of the requests; none was written.</exception>
    Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken);

    /// <summary>
    /// Reads several streams in one round trip, each from the event after <c>After</c>, at most <c>MaxEvents</c> of each and none behind the one with which they reach
    /// <c>MaxBytes</c>, in version order. Answers one list a request, in order; a stream without events gives an empty one.
    /// </summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    /// <exception cref="LogCorruptException">A row of one of the streams is no event; the others can be read without it.</exception>
    Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken);

    /// <summary>
    /// Reads the log in position order: the events after <paramref name="after"/>, at least <paramref name="maxEvents"/> where there are so many, and
    /// on to the end of the last one's commit. Empty at the head.
    /// </summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    /// <exception cref="LogCorruptException">A row among them is no event.</exception>
    Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken);

    /// <summary>The last commit and the identity of the log.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken);

    /// <summary>
    /// The first event that a command wrote, to whatever stream; null when it wrote none. A store may look at no more than the 2,000 lowest event ids that share
    /// the command's first 48 bits, and answers null for a command beyond them: a caller can give any number of its own commands the same instant.
    /// </summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken);

    /// <summary>The event with this id; null when there is none.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken);
}

/// <summary>One stream to read.</summary>
/// <param name="Stream">Its name.</param>
/// <param name="After">The version before the first one wanted.</param>
/// <param name="MaxEvents">The most events wanted, 1 or more.</param>
/// <param name="MaxBytes">The bytes of payload and metadata, 1 or more, with which the read ends: the event that reaches them is its last, however large it is.</param>
public readonly record struct StreamRead(StreamId Stream, StreamVersion After, int MaxEvents, int MaxBytes = int.MaxValue);

/// <summary>Where the log ends.</summary>
/// <param name="LogId">The identity of the log, made once; a token or checkpoint of another log is foreign.</param>
/// <param name="Position">The position of the last event; 0 when there is none.</param>
/// <param name="RecordedAt">The time of the last commit; null when there is none.</param>
/// <param name="Link">The hash link of the last commit; empty when there is none.</param>
public sealed record LogHead(Guid LogId, LogPosition Position, DateTimeOffset? RecordedAt, ReadOnlyMemory<byte> Link);
