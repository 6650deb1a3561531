using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.AspNetCore;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Security;

/// <summary>A node in Production, with its principals, shared by the tests of access.</summary>
public sealed class GuardedNode : IAsyncLifetime
{
    public InProcessNode Node { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Node = await InProcessNode.StartAsync();

    public ValueTask DisposeAsync() => Node.DisposeAsync();
}

/// <summary>Who gets in, and as whom.</summary>
[Collection("processes")]
public sealed class ApiAccessTests(GuardedNode guarded) : IClassFixture<GuardedNode>
{
    private readonly InProcessNode _node = guarded.Node;

    public static TheoryData<string> Mappings => ["views", "sessions", "history"];

    [Theory]
    [MemberData(nameof(Mappings))]
    public async Task outside_Development_endpoints_without_policies_are_not_mapped_and_the_error_says_what_to_write(string what)
    {
        await using var app = App("Production");
        var e = Assert.Throws<InvalidOperationException>(() => Map(app, what));
        Assert.Contains("AddPolicy(\"EventSourced.Read\"", e.Message, StringComparison.Ordinal);
        Assert.Contains("AllowAnyoneUNSAFE = true", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Mappings))]
    public async Task they_are_mapped_with_policies_or_by_the_word_UNSAFE_or_in_Development(string what)
    {
        await using var guarded = App("Production", s => s.AddAuthorizationBuilder().AddPolicy(ApiPolicy.Read, p => p.RequireRole("a")).AddPolicy(ApiPolicy.Operate, p => p.RequireRole("b")));
        await using var open = App("Production", s => s.Configure<ApiAccessOptions>(o => o.AllowAnyoneUNSAFE = true));
        await using var development = App("Development");
        Assert.All([guarded, open, development], app => Map(app, what));
    }

    [Fact]
    public async Task the_policy_of_reading_alone_opens_nothing_that_changes_something()
    {
        await using var app = App("Production", s => s.AddAuthorizationBuilder().AddPolicy(ApiPolicy.Read, p => p.RequireRole("a")));
        Assert.Contains(ApiPolicy.Operate, Assert.Throws<InvalidOperationException>(() => Map(app, "history")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task who_shows_no_token_gets_a_problem_401_at_every_endpoint_but_two()
    {
        using var anonymous = _node.Client();
        using var wrong = _node.Client("reader-0123456789abcdeX");
        foreach (var endpoint in _node.Endpoints.Except(["GET /alive", "GET /health"]))
        {
            foreach (var client in (HttpClient[])[anonymous, wrong])
            {
                using var request = new HttpRequestMessage(new HttpMethod(endpoint.Split(' ')[0]), endpoint.Split(' ')[1].Replace("{mutation:guid}", $"{Guid.Empty}", StringComparison.Ordinal).Replace("{**", "", StringComparison.Ordinal).Replace("{", "", StringComparison.Ordinal).Replace("}", "", StringComparison.Ordinal));
                request.Content = request.Method == HttpMethod.Post ? JsonContent.Create(new { }) : null;
                using var answer = await client.SendAsync(request);
                Assert.Equal((endpoint, 401, "application/problem+json", "Bearer"), (endpoint, (int)answer.StatusCode, answer.Content.Headers.ContentType?.MediaType, answer.Headers.WwwAuthenticate.ToString()));
            }
        }

        using var nowhere = await anonymous.GetAsync("/nowhere");
        Assert.Equal(HttpStatusCode.Unauthorized, nowhere.StatusCode);
    }

    [Fact]
    public async Task each_does_what_its_roles_allow_and_no_more()
    {
        var issue = new { fineId = "roles", amount = "35.00", article = 157, points = 0, vehicleClass = "A", officer = "561" };
        foreach (var (token, command, branch) in new[] { (InProcessNode.Reader, 403, 403), (InProcessNode.Clerk, 201, 403), (InProcessNode.Operator, 403, 201) })
        {
            using var client = _node.Client(token);
            client.DefaultRequestHeaders.Add("Idempotency-Key", "roles");
            client.DefaultRequestHeaders.Add(ApiAccess.OperateHeader, "1");
            using var issued = await client.PostAsJsonAsync("/fines", issue);
            using var made = await client.PostAsJsonAsync("/_es/branches", new { id = "roles", reason = "x" });
            using var read = await client.GetAsync("/views/fine_summary");
            Assert.Equal((token, command, branch, 200), (token, (int)issued.StatusCode, (int)made.StatusCode, (int)read.StatusCode));
            if (branch == 403)
            {
                Assert.Equal("not-allowed", (await made.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("title").GetString());
            }
        }
    }

    [Theory]
    [InlineData("POST", "/_es/branches")]
    [InlineData("POST", "/_es/branches/none/edits")]
    [InlineData("DELETE", "/_es/branches/none")]
    public async Task an_operators_change_without_its_header_is_refused_and_the_header_named(string method, string path)
    {
        using var client = _node.Client(InProcessNode.Anna);
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = method == "POST" ? JsonContent.Create(new { reason = "x" }) : null };
        using var answer = await client.SendAsync(request);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal((HttpStatusCode.BadRequest, "operate-header-missing"), (answer.StatusCode, problem.GetProperty("title").GetString()));
        Assert.Contains("ES-Operate", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task what_an_operator_did_is_shown_to_who_may_read_with_the_principal_and_the_reasons()
    {
        using var anna = _node.Client(InProcessNode.Anna);
        anna.DefaultRequestHeaders.Add(ApiAccess.OperateHeader, "1");
        using var made = await anna.PostAsJsonAsync("/_es/branches?actor=mallory", new { id = "audited", reason = "what if" });
        using var unexplained = await anna.DeleteAsync("/_es/branches/audited");
        using var dropped = await anna.DeleteAsync("/_es/branches/audited?reason=seen+enough");
        using var again = await anna.DeleteAsync("/_es/branches/audited?reason=twice");
        Assert.Equal((201, 400, 204, 404), ((int)made.StatusCode, (int)unexplained.StatusCode, (int)dropped.StatusCode, (int)again.StatusCode));

        using var rita = _node.Client(InProcessNode.Reader);
        var all = await rita.GetFromJsonAsync<JsonElement>("/_es/audit?target=branch:audited");
        Assert.Equal(
            [("anna", "branch-drop", "seen enough", true, false), ("anna", "branch-create", "what if", false, true)],
            all.GetProperty("operations").EnumerateArray().Select(o => (o.GetProperty("actor").GetString(), o.GetProperty("action").GetString(), o.GetProperty("reason").GetString(), o.TryGetProperty("before", out _), o.TryGetProperty("after", out _))));
        Assert.Equal(JsonValueKind.Null, all.GetProperty("next").ValueKind);
        var newest = await rita.GetFromJsonAsync<JsonElement>("/_es/audit?target=branch:audited&limit=1");
        var oldest = await rita.GetFromJsonAsync<JsonElement>($"/_es/audit?target=branch:audited&before={newest.GetProperty("next")}");
        Assert.Equal(all.GetProperty("operations")[1].ToString(), oldest.GetProperty("operations")[0].ToString());

        // It is a stream as any other.
        var state = await rita.GetFromJsonAsync<JsonElement>("/_es/state/es-operations/all");
        Assert.InRange(state.GetProperty("state").GetProperty("count").GetInt32(), 2, int.MaxValue);
        var correlation = all.GetProperty("operations")[0].GetProperty("correlation").GetString();
        await Eventually.Async("the workflow is traced", async () => (await rita.GetAsync($"/_es/trace/{correlation}")).StatusCode == HttpStatusCode.OK);
        Assert.All(await rita.GetFromJsonAsync<JsonElement>($"/_es/trace/{correlation}") is var trace ? trace.GetProperty("gaps").EnumerateArray() : default, g => Assert.Fail($"{g}"));
    }

    [Theory]
    [InlineData("target=fine_summary", "target")]
    [InlineData("target=view:", "target")]
    [InlineData("target=view:a&target=view:b", "target")]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("before=-1", "before")]
    public async Task a_question_for_what_operators_did_that_cannot_be_is_refused_and_named(string query, string field)
    {
        using var client = _node.Client(InProcessNode.Reader);
        using var answer = await client.GetAsync($"/_es/audit?{query}");
        Assert.Equal((HttpStatusCode.BadRequest, "application/problem+json"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        Assert.True((await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("errors").TryGetProperty(field, out _));
    }

    [Fact]
    public async Task the_actor_is_the_principal_whatever_the_headers_say()
    {
        using var client = _node.Client(InProcessNode.Clerk);
        foreach (var header in (string[])["X-Actor", "Actor", "X-User", "X-Forwarded-User", "ES-Actor", "From"])
        {
            client.DefaultRequestHeaders.TryAddWithoutValidation(header, "mallory");
        }

        using var issued = await client.PostAsJsonAsync("/fines?actor=mallory", new { fineId = "actor", amount = "35.00", article = 157, points = 0, vehicleClass = "A", officer = "561" });
        Assert.Equal(HttpStatusCode.Created, issued.StatusCode);
        var events = await client.GetFromJsonAsync<JsonElement>("/fines/actor/events");
        Assert.Equal("carl", events[0].GetProperty("metadata").GetProperty("actor").GetString());
        Assert.DoesNotContain("mallory", events.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task health_tells_strangers_whether_and_readers_why()
    {
        using var anonymous = _node.Client();
        Assert.Equal(["status"], (await anonymous.GetFromJsonAsync<JsonElement>("/health")).EnumerateObject().Select(p => p.Name));
        using var reader = _node.Client(InProcessNode.Reader);
        Assert.True((await reader.GetFromJsonAsync<JsonElement>("/health")).TryGetProperty("checks", out _));
    }

    [Fact]
    public async Task without_policies_Development_answers_this_machine_and_nobody_else()
    {
        await using var node = await InProcessNode.StartAsync(isDevelopment: true);
        using var client = node.Client();
        Assert.Equal((200, null), await AskAsync("Host", "localhost"));
        Assert.Equal((200, null), await AskAsync("Host", "[::1]:80"));
        Assert.Equal((200, null), await AskAsync("Origin", "http://localhost:3000"));
        Assert.Equal((403, "this-machine-only"), await AskAsync("Host", "evil.example"));
        Assert.Equal((403, "this-machine-only"), await AskAsync("Origin", "http://evil.example"));
        Assert.Equal((403, "this-machine-only"), await AskAsync("Origin", "null"));
        foreach (var header in (string[])["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-For", "X-Real-IP", "Forwarded", "Via"])
        {
            Assert.Equal((header, (403, "this-machine-only")), (header, await AskAsync(header, "1.1 proxy")));
        }

        Assert.Equal((200, null), await AskAsync("Accept", "*/*", "1.1"));
        Assert.Equal((403, "this-machine-only"), await AskAsync("Accept", "*/*", "1.0"));

        async Task<(int, string?)> AskAsync(string header, string value, string version = "1.1")
        {
            var found = new HashSet<(int, string?)>();
            foreach (var path in (string[])["/views/fine_summary", "/_es/branches", "/sessions/a/mutations", "/openapi/v1.json"])
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, path) { Version = Version.Parse(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
                request.Headers.TryAddWithoutValidation(header, value);
                using var answer = await client.SendAsync(request);
                found.Add(((int)answer.StatusCode, answer.IsSuccessStatusCode ? null : (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("title").GetString()));
            }

            return Assert.Single(found);
        }
    }

    [Fact]
    public async Task without_policies_a_caller_from_another_machine_is_refused()
    {
        var http = new Microsoft.AspNetCore.Http.DefaultHttpContext();
        await using var app = App("Development");
        http.RequestServices = app.Services;
        http.Request.Host = new("localhost");
        foreach (var (address, allowed) in new[] { (null, false), ("127.0.0.1", true), ("::1", true), ("::ffff:127.0.0.1", true), ("192.0.2.7", false), ("::ffff:192.0.2.7", false), ("fe80::1", false) })
        {
            http.Connection.RemoteIpAddress = address is null ? null : IPAddress.Parse(address);
            Assert.Equal((address, allowed), (address, await ApiAccess.AllowsAsync(http, ApiPolicy.Read)));
        }
    }

    private static WebApplication App(string environment, Action<IServiceCollection>? configure = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = environment });
        configure?.Invoke(builder.Services);
        return builder.Build();
    }

    private static void Map(WebApplication app, string what) => _ = what switch
    {
        "views" => app.MapViews(),
        "sessions" => app.MapSessions(),
        _ => app.MapHistory(),
    };
}
