using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Sqlite;

/// <summary>
/// Threads that own a connection each and do work in the order it comes: SQLite has no asynchronous I/O, and grains must not wait on the thread pool's few threads.
/// </summary>
internal sealed class SqliteWorker : IAsyncDisposable
{
    private readonly Channel<Action<SqliteSession>> _work;
    private readonly Task[] _threads;

    public SqliteWorker(string name, int threads, int maxQueued, Func<SqliteSession> open)
    {
        _work = Channel.CreateBounded<Action<SqliteSession>>(new BoundedChannelOptions(maxQueued) { SingleReader = threads == 1 });
        var sessions = new List<SqliteSession>(threads);
        try
        {
            while (sessions.Count < threads)
            {
                sessions.Add(open());
            }
        }
        catch
        {
            sessions.ForEach(s => s.Dispose());
            throw;
        }

        _threads = [.. sessions.Select((session, i) => Start($"{name} {i}", session))];
    }

    /// <summary>The one that writes a file, and those that read it. Either all are open or none.</summary>
    public static (SqliteWorker Writer, SqliteWorker Readers) WriterAndReaders(string name, SqliteOptions options, Func<SqliteSession> open, string path)
    {
        var writer = new SqliteWorker($"{name} writer", 1, options.MaxQueued, open);
        try
        {
            return (writer, ReadersOf(name, options, path));
        }
        catch
        {
            // Whoever holds the lock beside the file frees it next: the writer must have let go by then. It has no work that could hold it up.
            writer.DisposeAsync().AsTask().GetAwaiter().GetResult();
            throw;
        }
    }

    public static SqliteWorker ReadersOf(string name, SqliteOptions options, string path) =>
        new($"{name} reader", options.Readers, options.MaxQueued, () => new SqliteSession(path, writes: false));

    /// <exception cref="LogOverloadedException">Too much waits already.</exception>
    /// <exception cref="LogUnavailableException">The store is closed.</exception>
    public Task<T> RunAsync<T>(Func<SqliteSession, T> work)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var taken = _work.Writer.TryWrite(session =>
        {
            try
            {
                answer.SetResult(work(session));
            }
            catch (SqliteException e)
            {
                answer.SetException(SqliteErrors.OnRead(e));
            }
            catch (Exception e)
            {
                answer.SetException(e);
            }
        });
        if (taken)
        {
            return answer.Task;
        }

        throw _work.Reader.Completion.IsCompleted || _threads.All(t => t.IsCompleted)
            ? new LogUnavailableException("The SQLite store is closed.")
            : new LogOverloadedException("Too much work waits for the SQLite file; nothing was written.");
    }

    public async ValueTask DisposeAsync()
    {
        _work.Writer.TryComplete();
        await Task.WhenAll(_threads).ConfigureAwait(false);
    }

    private Task Start(string name, SqliteSession session)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            Drain(session);
            ended.SetResult();
        })
        { IsBackground = true, Name = name };
        thread.Start();
        return ended.Task;
    }

    private void Drain(SqliteSession session)
    {
        using (session)
        {
            // Blocking is what this thread is for.
            while (_work.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            {
                while (_work.Reader.TryRead(out var work))
                {
                    work(session);
                }
            }
        }
    }
}
