using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.AspNetCore;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.LogConsistency;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>What the caller of an endpoint sees of each failure.</summary>
public sealed class LogExceptionHandlerTests
{
    public static TheoryData<Exception, int, string> Failures => new()
    {
        { new CommandIdReusedException(new Core.Log.StreamId("fine/a"), CommandId.FromText("key")), 422, "idempotency-key-reused" },
        { new LogUnavailableException("x"), 503, "log-unavailable" },
        { new LogOverloadedException("x"), 503, "log-overloaded" },
        { new LogOutcomeUnknownException("x"), 503, "outcome-unknown" },
        { new LogRequestRefusedException("x"), 400, "log-refused" },
        { new BadCommandException("amount", "x"), 400, "bad-request" },
        { new RowQueryException("sort", "x"), 400, "bad-request" },
        { new TimeoutException(), 503, "node-unavailable" },
    };

    [Theory]
    [MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public async Task a_failure_is_answered_as_a_problem_with_its_type(Exception failure, int status, string code)
    {
        await using var services = new ServiceCollection().AddLogging().AddProblemDetails().BuildServiceProvider();
        using var body = new MemoryStream();
        var http = new DefaultHttpContext { RequestServices = services };
        http.Response.Body = body;
        Assert.True(await new LogExceptionHandler().TryHandleAsync(http, failure, CancellationToken.None));
        Assert.Equal(status, http.Response.StatusCode);
        Assert.Equal($"urn:problem:{code}", JsonDocument.Parse(body.ToArray()).RootElement.GetProperty("type").GetString());
    }

    [Fact]
    public async Task what_it_does_not_know_is_left_to_others() =>
        Assert.False(await new LogExceptionHandler().TryHandleAsync(new DefaultHttpContext(), new InvalidOperationException(), CancellationToken.None));
}
