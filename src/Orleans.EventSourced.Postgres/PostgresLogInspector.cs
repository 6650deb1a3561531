using System.Runtime.CompilerServices;
using Npgsql;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>The raw rows of the log's tables in schema <c>es</c>. Safe for concurrent use.</summary>
public sealed class PostgresLogInspector : ILogInspector, IAsyncDisposable
{
    private const int PageCommits = 500;
    private const int PageEvents = 2_000;
    private const int PageBytes = 4 * 1024 * 1024;
    private const int PagePlaces = 5_000;

    // The driver gives times as the server keeps them, in microseconds since 2000-01-01 UTC.
    private const long Epoch = 946_684_800_000_000;

    private readonly NpgsqlDataSource _source;

    /// <param name="options">Where the log is.</param>
    public PostgresLogInspector(PostgresOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _source = PostgresConnections.Create(options, forHistory: true);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<LogRow>> ReadLogRowsAsync(CancellationToken cancellationToken) => await ReadAsync(
        Statements.InspectLog,
        [],
        reader => new LogRow(reader.GetBoolean(0) ? 1 : 0, reader.GetGuid(1).ToByteArray(bigEndian: true), Time(reader, 2), reader.GetFieldValue<byte[]>(3)),
        cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async IAsyncEnumerable<CommitRow> ReadCommitRowsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var after = long.MinValue; ;)
        {
            var page = await ReadAsync(Statements.InspectCommits, [Number(after), Number(PageCommits)], Commit, cancellationToken).ConfigureAwait(false);
            for (var done = 0; done < page.Count;)
            {
                var some = await WithEventsAsync(Some(page, done), cancellationToken).ConfigureAwait(false);
                foreach (var commit in some)
                {
                    yield return commit;
                }

                done += some.Count;
            }

            if (page.Count < PageCommits)
            {
                yield break;
            }

            after = page[^1].Position;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StreamRow> ReadStreamRowsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var after = long.MinValue; ;)
        {
            var page = await ReadAsync(
                Statements.InspectStreams,
                [Number(after), Number(PagePlaces)],
                reader => new StreamRow(reader.GetInt64(0), reader.GetFieldValue<byte[]>(1), reader.GetFieldValue<byte[]>(2), Time(reader, 3), reader.GetBoolean(4), reader.GetFieldValue<byte[]>(5)),
                cancellationToken).ConfigureAwait(false);
            foreach (var stream in page)
            {
                yield return stream;
            }

            if (page.Count < PagePlaces)
            {
                yield break;
            }

            after = page[^1].Id;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<EventPlace> ReadEventPlacesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var (stream, version) = (long.MinValue, int.MinValue); ;)
        {
            var page = await ReadAsync(
                Statements.InspectPlaces,
                [Number(stream), Number(version), Number(PagePlaces)],
                reader => new EventPlace(reader.GetInt64(0), reader.GetInt32(1), reader.GetInt64(2), reader.GetInt32(3), reader.IsDBNull(4) ? null : reader.GetInt64(4)),
                cancellationToken).ConfigureAwait(false);
            foreach (var place in page)
            {
                yield return place;
            }

            if (page.Count < PagePlaces)
            {
                yield break;
            }

            (stream, version) = (page[^1].StreamId, (int)page[^1].Version);
        }
    }

    /// <summary>Closes the connections.</summary>
    public ValueTask DisposeAsync() => _source.DisposeAsync();

    /// <summary>The next commits of a page, one at least, whose events are not too many to be read together.</summary>
    private static List<CommitRow> Some(List<CommitRow> page, int from)
    {
        var events = 0L;
        return [.. page.Skip(from).TakeWhile((c, i) => i == 0 || (events += Math.Clamp(page[from + i - 1].Count, 0, PageEvents)) < PageEvents)];
    }

    /// <summary>The first of these commits with their events, one at least: all, unless these are large.</summary>
    private async Task<List<CommitRow>> WithEventsAsync(List<CommitRow> commits, CancellationToken cancellationToken)
    {
        var events = commits.ConvertAll(_ => new List<EventRow>());
        var (bytes, whole) = (0L, commits.Count);
        await ReadAsync(
            Statements.InspectEvents,
            [new NpgsqlParameter<long[]> { TypedValue = [.. commits.Select(c => c.Id)] }],
            reader =>
            {
                var i = reader.GetInt32(0) - 1;
                if (bytes >= PageBytes && i > 0 && events[i].Count == 0)
                {
                    whole = i;
                    return false;
                }

                var e = Event(reader);
                events[i].Add(e);
                bytes += e.Data.Length + e.Metadata.Length;
                return true;
            },
            cancellationToken,
            isEnough: isWanted => !isWanted).ConfigureAwait(false);
        return [.. commits.Take(whole).Zip(events, (c, e) => c with { Events = e })];
    }

    private static CommitRow Commit(NpgsqlDataReader reader) =>
        new(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt32(2), Time(reader, 3), reader.GetFieldValue<byte[]>(4), Optional(reader, 5), []);

    private static EventRow Event(NpgsqlDataReader reader) => new(
        reader.GetInt64(1),
        Optional(reader, 2),
        reader.GetInt32(3),
        reader.GetInt32(4),
        reader.GetGuid(5).ToByteArray(bigEndian: true),
        reader.GetFieldValue<byte[]>(6),
        reader.GetInt16(7),
        reader.GetFieldValue<byte[]>(8),
        reader.GetFieldValue<byte[]>(9));

    private static ReadOnlyMemory<byte>? Optional(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? default(ReadOnlyMemory<byte>?) : reader.GetFieldValue<byte[]>(column);

    private static long Time(NpgsqlDataReader reader, int column) => unchecked(reader.GetFieldValue<long>(column) + Epoch);

    private static NpgsqlParameter<long> Number(long value) => new() { TypedValue = value };

    private static NpgsqlParameter<int> Number(int value) => new() { TypedValue = value };

    private async Task<List<T>> ReadAsync<T>(string sql, NpgsqlParameter[] parameters, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, Func<T, bool>? isEnough = null)
    {
        try
        {
            await using var command = _source.CreateCommand(sql);
            command.Parameters.AddRange(parameters);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var rows = new List<T>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                rows.Add(row(reader));
                if (isEnough?.Invoke(rows[^1]) is true)
                {
                    break;
                }
            }

            return rows;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }
}
