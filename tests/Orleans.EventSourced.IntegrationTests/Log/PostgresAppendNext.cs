using Npgsql;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>The short way into the log, and what sends a batch the long way.</summary>
public sealed class PostgresAppendNext(PostgresFixture postgres) : IAsyncLifetime
{
    private PostgresOptions _options = null!;
    private PostgresEventLog _log = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _options = new PostgresOptions { ConnectionString = await postgres.CreateLogAsync() };
        _log = new PostgresEventLog(_options);
    }

    public ValueTask DisposeAsync() => _log.DisposeAsync();

    [Fact]
    public async Task what_comes_next_in_its_streams_is_written_without_the_long_way()
    {
        await ExecuteAsync(null, "drop procedure es.append");
        Assert.Equal(
            [(2, 2), (1, 3), (3, 6)],
            Versions(await _log.AppendAsync([Requests.Of("t/a", 2, ExpectedVersion.NoStream), Requests.One("t/b", Requests.At(0)), Requests.Of("t/c", 3, ExpectedVersion.NoStream)], Cancel)));
        Assert.Equal([(4, 7), (4, 9)], Versions(await _log.AppendAsync([Requests.One("t/c", Requests.At(3)), Requests.Of("t/a", 2, Requests.At(2))], Cancel)));

        var log = await _log.ReadLogAsync(LogPosition.Start, 100, Cancel);
        Assert.Equal(["t/a 1", "t/a 2", "t/b 1", "t/c 1", "t/c 2", "t/c 3", "t/c 4", "t/a 3", "t/a 4"], log.Select(e => $"{e.Stream} {e.Version}"));
        Assert.Equal(Enumerable.Range(1, 9), log.Select(e => (int)e.Position.Value));
        Assert.Equal(2, log.Select(e => e.RecordedAt).Distinct().Count());
        await using var inspector = new PostgresLogInspector(_options);
        Assert.Empty((await new LogVerification(inspector).RunAsync(null, null, Cancel)).Findings.Shown);
    }

    [Fact]
    public async Task each_request_of_a_batch_that_does_not_fit_is_told_its_own_outcome()
    {
        var before = Requests.One("t/repeated", ExpectedVersion.NoStream);
        await _log.AppendAsync([before, Requests.One("t/moved", ExpectedVersion.NoStream)], Cancel);
        var outcomes = await _log.AppendAsync(
            [
                Requests.One("t/new", ExpectedVersion.NoStream), before, Requests.One("t/moved", ExpectedVersion.NoStream), Requests.One("t/missing", Requests.At(1)), Requests.One("t/moved", Requests.At(1)),
            ],
            Cancel);
        Assert.Equal((1, 3), Versions([outcomes[0]])[0]);
        Assert.Equal(1, Assert.IsType<AppendOutcome.Duplicate>(outcomes[1]).Position.Value);
        Assert.Equal(new AppendOutcome.Conflict(new StreamVersion(1)), outcomes[2]);
        Assert.Equal(new AppendOutcome.Conflict(StreamVersion.None), outcomes[3]);
        Assert.IsType<AppendOutcome.Deferred>(outcomes[4]);
        Assert.Equal(3, (await _log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Theory]
    [InlineData("ES005", "a version that leaves a gap", 1, "array['t/a']", "array[3]", 1)]
    [InlineData("ES005", "a gap within a request", 1, "array['t/a', 't/a']", "array[2, 4]", 2)]
    [InlineData("ES005", "events of a stream apart from each other", 2, "array['t/a', 't/b', 't/a']", "array[2, 1, 3]", 3)]
    [InlineData("ES005", "a stream that is not there", 1, "array['t/missing']", "array[2]", 1)]
    [InlineData("ES005", "a version 0", 1, "array['t/a']", "array[0]", 1)]
    [InlineData("ES005", "two requests of one stream", 2, "array['t/a', 't/a']", "array[2, 3]", 2)]
    [InlineData("ES005", "a request too few", 1, "array['t/a', 't/b']", "array[2, 1]", 2)]
    [InlineData("ES005", "no number of requests", null, "array['t/a']", "array[2]", 1)]
    [InlineData("23505", "a version that is taken", 1, "array['t/a']", "array[1]", 1)]
    [InlineData("23502", "no version", 1, "array['t/a']", "array[null]::int[]", 1)]
    [InlineData("ES003", "a stream too few", 1, "array['t/a']", "array[2, 3]", 2)]
    [InlineData("ES003", "a version too few", 1, "array['t/a', 't/a']", "array[2]", 2)]
    [InlineData("ES003", "numbers that begin at 0", 1, "'[0:0]={t/a}'::text[]", "'[0:0]={2}'::int[]", 1)]
    [InlineData("ES003", "nothing", 0, "array[]::text[]", "array[]::int[]", 0)]
    public async Task what_does_not_come_next_is_refused_and_writes_nothing(string state, string fault, int? requests, string streams, string versions, int events)
    {
        await _log.AppendAsync([Requests.One("t/a", ExpectedVersion.NoStream)], Cancel);
        var columns = new[] { "gen_random_uuid()", "'tested'::text", "1::smallint", "'{}'::bytea", "'{}'::bytea" }
            .Zip(["uuid", "text", "smallint", "bytea", "bytea"], (element, type) => $"array[{string.Join(", ", Enumerable.Repeat(element, events))}]::{type}[]");

        var e = await Assert.ThrowsAsync<PostgresException>(
            () => ExecuteAsync("es_writer", $"call es.append_next({requests?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "null"}, {streams}, {versions}, {string.Join(", ", columns)}, null, null)"));

        Assert.True(e.SqlState == state, $"{fault}: {e.SqlState} {e.MessageText}");
        Assert.Equal(1, (await _log.ReadHeadAsync(Cancel)).Position.Value);
        Assert.Empty((await _log.ReadStreamsAsync([new StreamRead(new StreamId("t/missing"), StreamVersion.None, 1)], Cancel))[0]);
    }

    private static List<(int Version, long Position)> Versions(IReadOnlyList<AppendOutcome> outcomes) => [.. outcomes.Select(o => Assert.IsType<AppendOutcome.Appended>(o)).Select(a => (a.Version.Value, a.Position.Value))];

    private async Task ExecuteAsync(string? role, string sql)
    {
        await using var connection = await PostgresLaws.ConnectAsync(_options.ConnectionString, role);
        await PostgresLaws.ExecuteAsync(connection, sql);
    }
}
