using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Sqlite;

/// <summary>The raw rows of the log's tables in one SQLite file, which is only read: the process that writes it may go on. Safe for concurrent use.</summary>
public sealed class SqliteLogInspector : ILogInspector, IAsyncDisposable
{
    private const int PageCommits = 500;
    private const int PageEvents = 2_000;
    private const int PageBytes = 4 * 1024 * 1024;
    private const int PagePlaces = 5_000;
    private readonly SqliteWorker _readers;

    /// <param name="options">Where the file is.</param>
    /// <exception cref="LogMisconfiguredException">The file is no log.</exception>
    /// <exception cref="LogUnavailableException">The file cannot be opened.</exception>
    public SqliteLogInspector(SqliteOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        try
        {
            _readers = SqliteWorker.ReadersOf("log inspector", options, options.LogPath);
        }
        catch (SqliteException e)
        {
            throw SqliteErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<LogRow>> ReadLogRowsAsync(CancellationToken cancellationToken) => await ReadAsync(
        session => Rows(session.Prepared(Statements.InspectLog), reader => new LogRow(reader.GetInt64(0), Blob(reader, 1), reader.GetInt64(2), Blob(reader, 3))),
        cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async IAsyncEnumerable<CommitRow> ReadCommitRowsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (long? after = long.MinValue; after is { } from;)
        {
            var (page, isLast) = await ReadAsync(session => Commits(session, from), cancellationToken).ConfigureAwait(false);
            foreach (var commit in page)
            {
                yield return commit;
            }

            after = isLast ? null : page[^1].Position;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StreamRow> ReadStreamRowsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (long? after = long.MinValue; after is { } from;)
        {
            var page = await ReadAsync(
                session => Rows(
                    session.Prepared(Statements.InspectStreams, ("$after", from), ("$most", PagePlaces)),
                    reader => new StreamRow(reader.GetInt64(0), Blob(reader, 1), Blob(reader, 2), reader.GetInt64(3), IsTouched: false, Blob(reader, 4))),
                cancellationToken).ConfigureAwait(false);
            foreach (var stream in page)
            {
                yield return stream;
            }

            after = page.Count < PagePlaces ? null : page[^1].Id;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<EventPlace> ReadEventPlacesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for ((long Stream, long Version)? after = (long.MinValue, long.MinValue); after is { } from;)
        {
            var page = await ReadAsync(
                session => Rows(
                    session.Prepared(Statements.InspectPlaces, ("$stream", from.Stream), ("$version", from.Version), ("$most", PagePlaces)),
                    reader => new EventPlace(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.IsDBNull(4) ? null : reader.GetInt64(4))),
                cancellationToken).ConfigureAwait(false);
            foreach (var place in page)
            {
                yield return place;
            }

            after = page.Count < PagePlaces ? null : (page[^1].StreamId, page[^1].Version);
        }
    }

    /// <summary>Closes the file.</summary>
    public ValueTask DisposeAsync() => _readers.DisposeAsync();

    /// <summary>Commits with their events, until these are many or large.</summary>
    private static (List<CommitRow> Page, bool IsLast) Commits(SqliteSession session, long after)
    {
        var rows = Rows(session.Prepared(Statements.InspectCommits, ("$after", after), ("$most", PageCommits)), Commit);
        var (page, events, bytes) = (new List<CommitRow>(), 0, 0L);
        foreach (var row in rows)
        {
            if (events >= PageEvents || bytes >= PageBytes)
            {
                return (page, false);
            }

            page.Add(row with { Events = Rows(session.Prepared(Statements.InspectEvents, ("$id", row.Id)), Event) });
            events += page[^1].Events.Count;
            bytes += page[^1].Events.Sum(e => (long)e.Data.Length + e.Metadata.Length);
        }

        return (page, rows.Count < PageCommits);
    }

    private static CommitRow Commit(SqliteDataReader reader) =>
        new(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), Blob(reader, 4), Optional(reader, 5), []);

    private static EventRow Event(SqliteDataReader reader) =>
        new(reader.GetInt64(0), Optional(reader, 1), reader.GetInt64(2), reader.GetInt64(3), Blob(reader, 4), Blob(reader, 5), reader.GetInt64(6), Blob(reader, 7), Blob(reader, 8));

    /// <summary>A blob or a text as its bytes; nothing where there is none.</summary>
    private static byte[] Blob(SqliteDataReader reader, int column) => reader.IsDBNull(column) ? [] : reader.GetFieldValue<byte[]>(column);

    private static ReadOnlyMemory<byte>? Optional(SqliteDataReader reader, int column) => reader.IsDBNull(column) ? default(ReadOnlyMemory<byte>?) : Blob(reader, column);

    private static List<T> Rows<T>(SqliteCommand command, Func<SqliteDataReader, T> row)
    {
        var rows = new List<T>();
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            rows.Add(row(reader));
        }

        return rows;
    }

    private Task<T> ReadAsync<T>(Func<SqliteSession, T> read, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _readers.RunAsync(read);
    }
}
