using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.AspNetCore;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

public sealed class FeedTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task a_feed_ends_where_something_does_not_answer_any_more()
    {
        using var body = new MemoryStream();
        await ServeAsync(body, _ => FailingAsync());
        Assert.Contains("data: one", Encoding.UTF8.GetString(body.ToArray()), StringComparison.Ordinal);

        static async IAsyncEnumerable<SseItem<string?>> FailingAsync()
        {
            yield return new SseItem<string?>("one");
            await Task.Yield();
            throw new TimeoutException("the silo is gone");
        }
    }

    [Fact]
    public async Task where_a_heartbeat_cannot_be_written_the_items_are_ended_before_they_are_disposed_of()
    {
        var ended = false;
        using var body = new BrokenStream();
        var served = ServeAsync(body, ForeverAsync);
        while (!served.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(15));
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        await Assert.ThrowsAsync<IOException>(() => served);
        Assert.True(ended);

        async IAsyncEnumerable<SseItem<string?>> ForeverAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            }
            finally
            {
                ended = true;
            }

            yield break;
        }
    }

    private async Task ServeAsync(Stream body, Func<CancellationToken, IAsyncEnumerable<SseItem<string?>>> items)
    {
        await using var services = new ServiceCollection().AddLogging().AddSingleton<TimeProvider>(_time).AddSingleton<IHostApplicationLifetime, Lifetime>().BuildServiceProvider();
        var http = new DefaultHttpContext { RequestServices = services };
        http.Response.Body = body;
        await Feed.Open(http, items).ExecuteAsync(http);
    }

    private sealed class Lifetime : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted => CancellationToken.None;

        public CancellationToken ApplicationStopping => CancellationToken.None;

        public CancellationToken ApplicationStopped => CancellationToken.None;

        public void StopApplication()
        {
        }
    }

    /// <summary>The client goes after the first heartbeat.</summary>
    private sealed class BrokenStream : MemoryStream
    {
        private int _writes;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            ++_writes > 1 ? throw new IOException("the connection broke") : base.WriteAsync(buffer, cancellationToken);
    }
}
