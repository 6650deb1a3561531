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
        { new OrleansException("Trying to register fine/a on invalid silo: S127.0.0.1:1:1. Known status: Dead"), 503, "node-unavailable" },
    };

    [Theory]
    [MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public async Task a_failure_is_answered_as_a_problem_with_its_type(Exception failure, int status, string code)
    {
        var (answered, problem) = await AnswerAsync(failure);
        Assert.Equal(status, answered);
        Assert.Equal($"urn:problem:{code}", problem.GetProperty("type").GetString());
    }

    [Fact]
    public async Task a_log_that_cannot_write_now_claims_nothing_of_an_earlier_try()
    {
        foreach (var failure in (Exception[])[new LogUnavailableException("x"), new LogOverloadedException("x")])
        {
            var detail = (await AnswerAsync(failure)).Problem.GetProperty("detail").GetString();
            Assert.Contains("This request wrote nothing", detail, StringComparison.Ordinal);
            Assert.Contains("If you sent it before, that try may have", detail, StringComparison.Ordinal);
            Assert.Contains("with the same Idempotency-Key", detail, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task what_it_does_not_know_is_left_to_others() =>
        Assert.False(await new LogExceptionHandler().TryHandleAsync(new DefaultHttpContext(), new InvalidOperationException(), CancellationToken.None));

    [Fact]
    public async Task an_error_of_Orleans_that_is_no_matter_of_a_node_that_went_is_left_to_others() =>
        Assert.False(await new LogExceptionHandler().TryHandleAsync(new DefaultHttpContext(), new OrleansConfigurationException("x"), CancellationToken.None));

    private static async Task<(int Status, JsonElement Problem)> AnswerAsync(Exception failure)
    {
        await using var services = new ServiceCollection().AddLogging().AddProblemDetails().BuildServiceProvider();
        using var body = new MemoryStream();
        var http = new DefaultHttpContext { RequestServices = services };
        http.Response.Body = body;
        Assert.True(await new LogExceptionHandler().TryHandleAsync(http, failure, CancellationToken.None));
        return (http.Response.StatusCode, JsonDocument.Parse(body.ToArray()).RootElement);
    }
}
