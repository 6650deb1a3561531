using System.Net.ServerSentEvents;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// An answer of server-sent events (WHATWG HTML, 9.2) that goes on until its client or the node goes. Items with an id let a client that comes again with <c>Last-Event-ID</c>, as browsers do by
/// themselves, go on behind it. A <c>heartbeat</c> without id and data, which
/// browsers pass over, comes at once, and whenever nothing else did for 15 s.
/// </summary>
internal static partial class Feed
{
    /// <summary>The most feeds of one process at a time.</summary>
    public const int MaxFeeds = 1_000;

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);
    private static int _feeds;

    /// <summary>The id of the last item that the client has seen, by header or by <c>since=</c>, for those that cannot set one; null: it begins.</summary>
    public static string? Since(HttpRequest request) =>
        request.Headers["Last-Event-ID"].ToString() is { Length: > 0 } id ? id
        : request.Query["since"].ToString() is { Length: > 0 } since ? since
        : null;

    /// <summary>Answers with a feed; 503 where this process has too many.</summary>
    /// <param name="http">The request.</param>
    /// <param name="items">Begins the feed's items; they end when the token is cancelled.</param>
    public static IResult Open<T>(HttpContext http, Func<CancellationToken, IAsyncEnumerable<SseItem<T?>>> items)
        where T : class
    {
        if (Interlocked.Increment(ref _feeds) > MaxFeeds)
        {
            Interlocked.Decrement(ref _feeds);
            http.Response.Headers.RetryAfter = "5";
            return CommandAnswer.Problem(StatusCodes.Status503ServiceUnavailable, "too-many-feeds", $"This node has {MaxFeeds} feeds already; come again, or ask another node.");
        }

        http.Response.OnCompleted(static () =>
        {
            Interlocked.Decrement(ref _feeds);
            return Task.CompletedTask;
        });
        var stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, http.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
        http.Response.RegisterForDispose(stop);
        var logger = http.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("Orleans.EventSourced.AspNetCore.Feed");
        return TypedResults.ServerSentEvents(WithHeartbeatsAsync(items(stop.Token), http.RequestServices.GetRequiredService<TimeProvider>(), logger, stop));
    }

    private static async IAsyncEnumerable<SseItem<T?>> WithHeartbeatsAsync<T>(IAsyncEnumerable<SseItem<T?>> items, TimeProvider time, ILogger logger, CancellationTokenSource stop)
        where T : class
    {
        var enumerator = items.GetAsyncEnumerator(stop.Token);
        await using (enumerator)
        {
            yield return new SseItem<T?>(null, "heartbeat");
            var next = enumerator.MoveNextAsync().AsTask();
            try
            {
                while (await HasNextAsync(next, time, logger) is var hasNext and not false)
                {
                    if (hasNext is null)
                    {
                        yield return new SseItem<T?>(null, "heartbeat");
                        continue;
                    }

                    yield return enumerator.Current;
                    next = enumerator.MoveNextAsync().AsTask();
                }
            }
            finally
            {
                // Where an item could not be written the next one is still awaited, and until that has ended the items cannot be disposed of.
                await stop.CancelAsync();
                await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Null: nothing happened for a while. False: the node stops, the client went, or something does not answer; the client comes again behind the last id that it has.</summary>
    private static async Task<bool?> HasNextAsync(Task<bool> next, TimeProvider time, ILogger logger)
    {
        try
        {
            return await next.WaitAsync(Heartbeat, time);
        }
        catch (TimeoutException) when (!next.IsCompleted)
        {
            return null;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        catch (Exception e)
        {
            // The answer has begun: nothing else can be said to the client.
            LogEnded(logger, e);
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A feed ended before its client did")]
    private static partial void LogEnded(ILogger logger, Exception exception);
}
