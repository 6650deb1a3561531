using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Sqlite;

/// <summary>The log in one SQLite file, for one process: one thread writes, a few read. One try per call; safe for concurrent use.</summary>
public sealed class SqliteEventLog : IEventLog, IAsyncDisposable
{
    private readonly FileStream? _held;
    private readonly SqliteWorker? _writer;
    private readonly SqliteWorker _readers;

    /// <summary>Takes the file for this process and brings it to the schema of this program.</summary>
    /// <param name="options">Where the file is.</param>
    /// <param name="time">The clock of the commits.</param>
    /// <exception cref="LogMisconfiguredException">Another process has the file, it is newer than this program, or no log.</exception>
    /// <exception cref="LogUnavailableException">The file cannot be opened.</exception>
    public SqliteEventLog(SqliteOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        Time = time;
        try
        {
            if (options.ReadOnly)
            {
                _readers = SqliteWorker.ReadersOf("event log", options, options.LogPath);
                return;
            }

            _held = SqliteSchema.Hold(options);
            (_writer, _readers) = SqliteWorker.WriterAndReaders("event log", options, () => SqliteSchema.OpenLog(options), options.LogPath);
        }
        catch (SqliteException e)
        {
            _held?.Dispose();
            throw SqliteErrors.OnRead(e);
        }
        catch
        {
            _held?.Dispose();
            throw;
        }
    }

    private TimeProvider Time { get; }

    /// <inheritdoc/>
    public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        cancellationToken.ThrowIfCancellationRequested();
        return _writer is null
            ? throw new LogMisconfiguredException("This log was opened for reading only.")
            : _writer.RunAsync(session => new SqliteAppend(session, Time).Run(batch));
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reads);
        return ReadAsync<IReadOnlyList<IReadOnlyList<RecordedEvent>>>(
            session => [.. reads.Select(r => Events(session.Prepared(Statements.ReadStream, ("$name", r.Stream.Value), ("$after", r.After.Value), ("$most", r.MaxEvents)), r.MaxBytes))], cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxEvents, 1);
        return ReadAsync(session => Events(session.Prepared(Statements.ReadLog, ("$after", after.Value), ("$most", maxEvents))), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => ReadAsync(
        session =>
        {
            using var reader = session.Prepared(Statements.ReadHead).ExecuteReader();
            if (!reader.Read())
            {
                throw new LogMisconfiguredException("The table log is empty: the log has lost its identity.");
            }

            var id = new Guid(reader.GetFieldValue<byte[]>(0), bigEndian: true);
            return reader.IsDBNull(2)
                ? new LogHead(id, LogPosition.Start, null, ReadOnlyMemory<byte>.Empty)
                : new LogHead(id, new LogPosition(reader.GetInt64(1)), HashLink.FromMicroseconds(reader.GetInt64(2)), reader.GetFieldValue<byte[]>(3));
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken)
    {
        var (lowest, highest) = EventId.RangeOf(command);
        return ReadAsync(
            session => Events(session.Prepared(Statements.FindCommand, ("$lowest", lowest.ToByteArray(true)), ("$highest", highest.ToByteArray(true)), ("$command", command.Value.ToString("D")))).FirstOrDefault(),
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) =>
        ReadAsync(session => Events(session.Prepared(Statements.FindEvent, ("$id", id.Value.ToByteArray(true)))).FirstOrDefault(), cancellationToken);

    /// <summary>Finishes what is queued, closes the file and lets it go.</summary>
    public async ValueTask DisposeAsync()
    {
        // The last connection to close brings the write-ahead log into the file, if it may write.
        await _readers.DisposeAsync().ConfigureAwait(false);
        if (_writer is not null)
        {
            await _writer.DisposeAsync().ConfigureAwait(false);
        }

        if (_held is not null)
        {
            await _held.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static IReadOnlyList<RecordedEvent> Events(SqliteCommand command, int maxBytes = int.MaxValue)
    {
        var events = new List<RecordedEvent>();
        var bytes = 0L;
        using var reader = command.ExecuteReader();
        while (bytes < maxBytes && reader.Read())
        {
            events.Add(Event(reader));
            bytes += events[^1].Bytes;
        }

        return events;
    }

    /// <exception cref="LogCorruptException">The row is no event.</exception>
    private static RecordedEvent Event(SqliteDataReader reader)
    {
        try
        {
            return new RecordedEvent(
                new LogPosition(reader.GetInt64(0)),
                StreamId.Recorded(reader.GetString(1)),
                new StreamVersion(reader.GetInt32(2)),
                new EventId(new Guid(reader.GetFieldValue<byte[]>(3), bigEndian: true)),
                reader.GetString(4),
                reader.GetInt16(5),
                reader.GetFieldValue<byte[]>(6),
                reader.GetFieldValue<byte[]>(7),
                HashLink.FromMicroseconds(reader.GetInt64(8)));
        }
        catch (Exception e) when (e is not SqliteException)
        {
            throw new LogCorruptException($"its row is no event: {e.Message}", StreamId.Recorded(reader.GetString(1)), new StreamVersion(reader.GetInt32(2)), new LogPosition(reader.GetInt64(0)), reader.GetString(4), e);
        }
    }

    private Task<T> ReadAsync<T>(Func<SqliteSession, T> read, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _readers.RunAsync(read);
    }
}
