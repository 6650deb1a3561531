using System.Net;
using System.Net.ServerSentEvents;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Feeds of a node, as a client sees them.</summary>
internal static class SseFeed
{
    /// <summary>The items of a feed without its heartbeats, behind the last one seen, for a minute at most.</summary>
    public static async IAsyncEnumerable<SseItem<string>> WatchAsync(HostProcess node, string path, string? lastId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (lastId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastId);
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        using var answer = await node.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        await using var stream = await answer.Content.ReadAsStreamAsync(patience.Token);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(patience.Token))
        {
            if (item.EventType != "heartbeat")
            {
                yield return item;
            }
        }
    }
}
