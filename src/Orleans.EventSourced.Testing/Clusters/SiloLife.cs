using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Testing.Clusters;

/// <summary>Whether a silo is alive, as far as its log is concerned.</summary>
internal sealed class SiloLife
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Ended => _ended.Task;

    public bool IsOver => _ended.Task.IsCompleted;

    public void End() => _ended.TrySetResult();
}

/// <summary>
/// The log as one silo has it. A killed process writes no more, hears no answer and reads nothing; a silo that is killed within a process that lives on must be kept from it: an append under way may
/// be written, and is never answered as such; a read never ends.
/// </summary>
/// <param name="inner">The log, as the test may have wrapped it.</param>
/// <param name="owned">The store's own log where it lives no longer than the silo; null: others share it.</param>
/// <param name="life">The silo's life.</param>
internal sealed class MortalLog(IEventLog inner, IEventLog? owned, SiloLife life) : IEventLog, IAsyncDisposable
{
    /// <summary>The log behind it, as the test may have wrapped it.</summary>
    public IEventLog Inner => inner;

    public async Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
    {
        RefuseWhenOver();
        var outcomes = await inner.AppendAsync(batch, cancellationToken);
        RefuseWhenOver();
        return outcomes;
    }

    public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken) =>
        ReadAsync(() => inner.ReadStreamsAsync(reads, cancellationToken), cancellationToken);

    public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) =>
        ReadAsync(() => inner.ReadLogAsync(after, maxEvents, cancellationToken), cancellationToken);

    public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => ReadAsync(() => inner.ReadHeadAsync(cancellationToken), cancellationToken);

    public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => ReadAsync(() => inner.FindCommandAsync(command, cancellationToken), cancellationToken);

    public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => ReadAsync(() => inner.FindEventAsync(id, cancellationToken), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (var log in new[] { inner, owned }.Distinct())
        {
            switch (log)
            {
                case IAsyncDisposable disposable:
                    await disposable.DisposeAsync();
                    break;
                case IDisposable disposable:
                    disposable.Dispose();
                    break;
            }
        }
    }

    private void RefuseWhenOver() => ObjectDisposedException.ThrowIf(life.IsOver, this);

    private async Task<T> ReadAsync<T>(Func<Task<T>> read, CancellationToken cancellationToken) =>
        life.IsOver ? await new TaskCompletionSource<T>().Task.WaitAsync(cancellationToken) : await read();
}
