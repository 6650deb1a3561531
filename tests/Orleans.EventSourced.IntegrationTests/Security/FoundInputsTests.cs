using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Orleans.EventSourced.IntegrationTests.Processes;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Security;

public sealed class NodeOfFoundInputs() : SharedNode;

/// <summary>Inputs that were once answered as a fault of the program, or as no problem, each by its name.</summary>
[Collection("processes")]
public sealed class FoundInputsTests(NodeOfFoundInputs node) : IClassFixture<NodeOfFoundInputs>
{
    private readonly HttpClient _http = node.Host.Http;

    [Theory]
    [InlineData("%20")]
    [InlineData("%C2%85")]
    [InlineData("%E2%80%A8")]
    public async Task a_fine_or_session_of_white_space_alone_is_refused(string key)
    {
        using var body = new StringContent("""{"amount":"70.00"}""", Encoding.UTF8, "application/json");
        using var command = await _http.PostAsync($"/fines/{key}/penalty", body);
        await AssertProblemAsync(command, HttpStatusCode.BadRequest, "white space alone");
        using var read = await _http.GetAsync($"/views/fine_summary/F1?session={key}");
        await AssertProblemAsync(read, HttpStatusCode.BadRequest, "white space alone");
    }

    [Theory]
    [InlineData("data")]
    [InlineData("parameters")]
    public async Task an_edit_with_bytes_that_are_no_UTF_8_is_refused_and_named(string member)
    {
        byte[] bytes = [.. Encoding.UTF8.GetBytes($$"""{"reason":"x","edits":[{"op":"apply","{{member}}":{"a":" """), 0xFF, .. "\"}}]}"u8];
        using var body = new ByteArrayContent(bytes);
        body.Headers.ContentType = new("application/json");
        using var answer = await _http.PostAsync("/_es/branches", body);
        await AssertProblemAsync(answer, HttpStatusCode.BadRequest, $"edits[0].{member}: It is not all UTF-8.");
    }

    [Fact]
    public async Task who_accepts_anything_but_JSON_is_still_answered_with_a_problem()
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, "/fines/F1") { Headers = { { "Accept", "image/png" } } };
        using var answer = await _http.SendAsync(request);
        await AssertProblemAsync(answer, HttpStatusCode.MethodNotAllowed, "");
    }

    private static async Task AssertProblemAsync(HttpResponseMessage answer, HttpStatusCode status, string detail)
    {
        Assert.Equal((status, "application/problem+json"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Contains(detail, problem.TryGetProperty("detail", out var text) ? text.GetString() : "", StringComparison.Ordinal);
    }
}
