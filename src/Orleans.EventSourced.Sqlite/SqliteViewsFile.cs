using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Sqlite;

/// <summary>
/// The file beside the log's that holds what is derived from it: views, checkpoints, snapshots. One thread writes, so that writers queue instead of polling for the file's lock; a few
/// read, and wait for no writer. Safe for concurrent use.
/// </summary>
internal sealed class SqliteViewsFile : IAsyncDisposable
{
    private readonly SqliteWorker? _writer;
    private readonly SqliteWorker _readers;

    /// <exception cref="LogMisconfiguredException">The file is newer than this program, or no file of views.</exception>
    /// <exception cref="LogUnavailableException">The file cannot be opened.</exception>
    public SqliteViewsFile(SqliteOptions options)
        : this("views", options, SqliteSchema.OpenViews, options.ViewsPath)
    {
    }

    private SqliteViewsFile(string name, SqliteOptions options, Func<SqliteOptions, SqliteSession> open, string path)
    {
        try
        {
            (_writer, _readers) = options.ReadOnly ? (null, SqliteWorker.ReadersOf(name, options, path)) : SqliteWorker.WriterAndReaders(name, options, () => open(options), path);
        }
        catch (SqliteException e)
        {
            throw SqliteErrors.OnRead(e);
        }
    }

    /// <summary>The file of the checkpoints of reactions, which is used the same way and is no part of the other: views may be thrown away.</summary>
    public static SqliteViewsFile OfReactions(SqliteOptions options) => new("reactions", options, SqliteSchema.OpenReactions, options.ReactionsPath);

    /// <exception cref="LogOverloadedException">Too much waits already.</exception>
    public Task<T> ReadAsync<T>(Func<SqliteSession, T> read, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _readers.RunAsync(read);
    }

    /// <summary>Does the work in one transaction, which is committed unless the work throws.</summary>
    /// <exception cref="LogOverloadedException">Too much waits already.</exception>
    public Task<T> WriteAsync<T>(Func<SqliteSession, T> work, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _writer is null ? throw new LogMisconfiguredException("This file was opened for reading only.") : _writer.RunAsync(session =>
        {
            session.Begin();
            try
            {
                var result = work(session);
                Commit(session);
                return result;
            }
            catch
            {
                session.Rollback();
                throw;
            }
        });
    }

    /// <summary>Finishes what is queued and closes the file.</summary>
    public async ValueTask DisposeAsync()
    {
        // The last connection to close brings the write-ahead log into the file, if it may write.
        await _readers.DisposeAsync().ConfigureAwait(false);
        if (_writer is not null)
        {
            await _writer.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static void Commit(SqliteSession session)
    {
        try
        {
            session.Execute("commit");
        }
        catch (SqliteException e)
        {
            throw SqliteErrors.OnDerivedCommit(e);
        }
    }
}
