using System.Collections.Concurrent;
using Npgsql;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>The log in PostgreSQL 15 or newer. One try per call; safe for concurrent use.</summary>
public sealed partial class PostgresEventLog : IEventLog, IAsyncDisposable
{
    private const int MaxCachedNames = 200_000;
    private readonly NpgsqlDataSource _source;
    private readonly ConcurrentDictionary<long, StreamId> _names = new();

    /// <param name="options">Where the log is. Its schema is there already: see <see cref="PostgresSchema"/>.</param>
    public PostgresEventLog(PostgresOptions options)
        : this(options, forHistory: false)
    {
    }

    internal PostgresEventLog(PostgresOptions options, bool forHistory)
    {
        ArgumentNullException.ThrowIfNull(options);
        _source = PostgresConnections.Create(options, forHistory);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reads);
        return ReadAsync(
            Statements.ReadStreams,
            [
                new NpgsqlParameter<string[]> { TypedValue = [.. reads.Select(r => r.Stream.Value)] },
                new NpgsqlParameter<int[]> { TypedValue = [.. reads.Select(r => r.After.Value)] },
                new NpgsqlParameter<int[]> { TypedValue = [.. reads.Select(r => r.MaxEvents)] },
                new NpgsqlParameter<int[]> { TypedValue = [.. reads.Select(r => r.MaxBytes)] },
            ],
            async reader =>
            {
                var pages = new List<RecordedEvent>[reads.Count];
                for (var i = 0; i < pages.Length; i++)
                {
                    pages[i] = [];
                }

                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    var i = reader.GetInt32(0) - 1;
                    pages[i].Add(Event(reader, reads[i].Stream, reader.GetInt64(2), reader.GetInt32(1)));
                }

                return (IReadOnlyList<IReadOnlyList<RecordedEvent>>)pages;
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxEvents, 1);
        var events = await ReadEventsAsync(
            Statements.ReadLog,
            [new NpgsqlParameter<long> { TypedValue = after.Value }, new NpgsqlParameter<long> { TypedValue = maxEvents }],
            cancellationToken).ConfigureAwait(false);
        for (var i = 1; i < events.Count; i++)
        {
            if (events[i].Position < events[i - 1].Position)
            {
                // The plan that the statement leaves gives them in order; no statement without an order promises it.
                events.Sort((a, b) => a.Position.CompareTo(b.Position));
                break;
            }
        }

        return events;
    }

    /// <inheritdoc/>
    public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => ReadAsync(
        Statements.ReadHead,
        [],
        async reader =>
        {
            if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                throw new LogMisconfiguredException("The table es.log is empty: the log has lost its identity.");
            }

            return reader.IsDBNull(2)
                ? new LogHead(reader.GetGuid(0), LogPosition.Start, null, ReadOnlyMemory<byte>.Empty)
                : new LogHead(reader.GetGuid(0), new LogPosition(reader.GetInt64(1)), reader.GetFieldValue<DateTimeOffset>(2), reader.GetFieldValue<byte[]>(3));
        },
        cancellationToken);

    /// <inheritdoc/>
    public async Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken)
    {
        var (lowest, highest) = EventId.RangeOf(command);
        var found = await ReadEventsAsync(
            Statements.FindCommand,
            [
                new NpgsqlParameter<Guid> { TypedValue = lowest },
                new NpgsqlParameter<Guid> { TypedValue = highest },
                new NpgsqlParameter<string> { TypedValue = command.Value.ToString("D") },
            ],
            cancellationToken).ConfigureAwait(false);
        return found.Count == 0 ? null : found[0];
    }

    /// <inheritdoc/>
    public async Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken)
    {
        var found = await ReadEventsAsync(Statements.FindEvent, [new NpgsqlParameter<Guid> { TypedValue = id.Value }], cancellationToken).ConfigureAwait(false);
        return found.Count == 0 ? null : found[0];
    }

    /// <summary>Closes the log's connections.</summary>
    public ValueTask DisposeAsync() => _source.DisposeAsync();

    /// <summary>The columns from <c>id</c> on stand in the same order in every statement that answers events.</summary>
    /// <exception cref="LogCorruptException">The row is no event.</exception>
    private static RecordedEvent Event(NpgsqlDataReader reader, StreamId stream, long position, int version)
    {
        try
        {
            return new RecordedEvent(
                new LogPosition(position),
                stream,
                new StreamVersion(version),
                new EventId(reader.GetGuid(3)),
                reader.GetString(4),
                reader.GetInt16(5),
                reader.GetFieldValue<byte[]>(6),
                reader.GetFieldValue<byte[]>(7),
                reader.GetFieldValue<DateTimeOffset>(8));
        }
        catch (Exception e) when (!PostgresErrors.IsStoreError(e))
        {
            throw Unreadable(stream, version, position, reader.GetString(4), e);
        }
    }

    private static LogCorruptException Unreadable(StreamId stream, int version, long position, string type, Exception cause) =>
        new($"its row is no event: {cause.Message}", stream, new StreamVersion(Math.Max(version, 0)), new LogPosition(Math.Max(position, 0)), type, cause);

    private async Task<List<RecordedEvent>> ReadEventsAsync(string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken)
    {
        var events = new List<RecordedEvent>();
        var unnamed = new List<(int Index, long StreamId)>();
        var reading = 0L;
        try
        {
            await ReadAsync(
                sql,
                parameters,
                async reader =>
                {
                    while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    {
                        reading = reader.GetInt64(1);
                        if (!_names.TryGetValue(reading, out var stream))
                        {
                            unnamed.Add((events.Count, reading));
                        }

                        events.Add(Event(reader, stream, reader.GetInt64(0), reader.GetInt32(2)));
                    }

                    return events;
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (LogCorruptException e)
        {
            var itsName = await NamesAsync([reading], cancellationToken).ConfigureAwait(false);
            throw Unreadable(itsName.GetValueOrDefault(reading), e.Version, e.Position, e.EventType!, e.InnerException!);
        }

        var names = await NamesAsync(unnamed.Select(u => u.StreamId), cancellationToken).ConfigureAwait(false);
        foreach (var (index, id) in unnamed)
        {
            var e = events[index];
            events[index] = names.TryGetValue(id, out var name)
                ? e with { Stream = name }
                : throw new LogCorruptException($"its stream has the number {id}, which es.streams does not know.", default, e.Version, e.Position, e.Type);
        }

        return events;
    }

    /// <summary>The names of these streams, held apart from the cache, which another reader may empty meanwhile.</summary>
    private async Task<Dictionary<long, StreamId>> NamesAsync(IEnumerable<long> ids, CancellationToken cancellationToken)
    {
        var names = new Dictionary<long, StreamId>();
        var unknown = new HashSet<long>();
        foreach (var id in ids)
        {
            if (!names.ContainsKey(id) && _names.TryGetValue(id, out var name))
            {
                names.Add(id, name);
            }
            else if (!names.ContainsKey(id))
            {
                unknown.Add(id);
            }
        }

        if (unknown.Count == 0)
        {
            return names;
        }

        if (_names.Count + unknown.Count > MaxCachedNames)
        {
            _names.Clear();
        }

        return await ReadAsync(
            Statements.ReadNames,
            [new NpgsqlParameter<long[]> { TypedValue = [.. unknown] }],
            async reader =>
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    names[reader.GetInt64(0)] = _names[reader.GetInt64(0)] = Name(reader.GetInt64(0), reader.GetString(1));
                }

                return names;
            },
            cancellationToken).ConfigureAwait(false);
    }

    private static StreamId Name(long id, string name)
    {
        try
        {
            return StreamId.Recorded(name);
        }
        catch (ArgumentException e)
        {
            throw new LogCorruptException($"es.streams gives the number {id} a name that is none: {e.Message}", default, StreamVersion.None, LogPosition.Start, "", e);
        }
    }

    private async Task<T> ReadAsync<T>(string sql, NpgsqlParameter[] parameters, Func<NpgsqlDataReader, Task<T>> read, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            try
            {
                var command = new NpgsqlCommand(sql, connection);
                command.Parameters.AddRange(parameters);
                await using (command.ConfigureAwait(false))
                {
                    var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                    await using (reader.ConfigureAwait(false))
                    {
                        return await read(reader).ConfigureAwait(false);
                    }
                }
            }
            catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
            {
                throw PostgresErrors.OnRead(e);
            }
        }
    }

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnConnect(e);
        }
    }
}
