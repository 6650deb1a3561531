using Orleans.EventSourced.Core.History;
using Xunit;

namespace Orleans.EventSourced.UnitTests.History;

public sealed class HistoryThreadTests
{
    [Fact]
    public async Task work_is_done_in_order_on_one_thread_which_is_none_of_the_pool()
    {
        using var thread = new HistoryThread();
        var (done, threads, ofPool) = (new List<int>(), new HashSet<int>(), 0);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(i => thread.RunAsync(
            () =>
            {
                done.Add(i);
                threads.Add(Environment.CurrentManagedThreadId);
                ofPool += Thread.CurrentThread.IsThreadPoolThread ? 1 : 0;
            },
            CancellationToken.None)));
        Assert.Equal(Enumerable.Range(0, 200), done);
        Assert.Equal((1, 0), (threads.Count, ofPool));
    }

    [Fact]
    public async Task work_that_throws_tells_its_giver_alone_and_what_was_cancelled_is_not_done()
    {
        using var thread = new HistoryThread();
        Assert.Equal("no", (await Assert.ThrowsAsync<InvalidOperationException>(() => thread.RunAsync(() => throw new InvalidOperationException("no"), CancellationToken.None))).Message);
        using var stop = new CancellationTokenSource();
        using var entered = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        var first = thread.RunAsync(
            () =>
            {
                entered.Set();
                go.Wait(CancellationToken.None);
            },
            CancellationToken.None);
        entered.Wait(CancellationToken.None);
        var isDone = false;
        var second = thread.RunAsync(() => isDone = true, stop.Token);
        await stop.CancelAsync();
        go.Set();
        await first;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.False(isDone);
    }

    [Fact]
    public async Task what_was_given_before_the_end_is_done_and_what_comes_later_is_refused()
    {
        var thread = new HistoryThread();
        var done = 0;
        var work = Task.WhenAll(Enumerable.Range(0, 50).Select(_ => thread.RunAsync(() => done++, CancellationToken.None)));
        thread.Dispose();
        await work;
        Assert.Equal(50, done);
        await Assert.ThrowsAsync<System.Threading.Channels.ChannelClosedException>(() => thread.RunAsync(() => done++, CancellationToken.None));
    }
}
