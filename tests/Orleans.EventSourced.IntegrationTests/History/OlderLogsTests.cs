using Microsoft.Data.Sqlite;
using Npgsql;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Log;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.History;

/// <summary>Logs from before there were seals and marks: they get the ones, do without the others, and are verified whole.</summary>
public sealed class OlderLogsTests(PostgresFixture postgres) : IDisposable
{
    private const int LastWithoutSeals = 9;
    private readonly TestFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task an_older_log_in_postgres_is_sealed_and_verified_and_grows_on()
    {
        var options = new PostgresOptions { ConnectionString = await postgres.CreateDatabaseAsync() };
        await using var connection = await PostgresLaws.ConnectAsync(options.ConnectionString, null);
        await MigrateToAsync(connection, LastWithoutSeals);
        await using var log = new PostgresEventLog(options);
        await log.AppendAsync([Requests.Of("old/1", 2), Requests.Of("old/2", 1)], Cancel);
        await log.AppendAsync([Requests.Of("old/1", 1)], Cancel);

        await PostgresSchema.MigrateAsync(options, Cancel);
        await log.AppendAsync([Requests.Of("old/1", 1), Requests.Of("new/1", 2)], Cancel);

        await using var inspector = new PostgresLogInspector(options);
        Assert.Equal((7L, 3L, 2L, 3L), await VerifyAsync(inspector));

        await PostgresLaws.ExecuteAsync(connection, "set session_replication_role = replica; update es.events set schema = 7 where version = 2 and stream_id = (select id from es.streams where name = 'old/1')");
        var finding = Assert.Single((await new LogVerification(inspector).RunAsync(null, null, Cancel)).Findings.Shown);
        Assert.Equal(("commits", 1L), (finding.Table, finding.Position));
        Assert.Contains("old/1 version 2", finding.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_row_of_a_stream_that_an_append_from_before_makes_is_sealed_by_the_database()
    {
        var options = await PostgresConformance.MigratedAsync(postgres);
        await using var connection = await PostgresLaws.ConnectAsync(options.ConnectionString, null);
        await PostgresLaws.ExecuteAsync(connection, "insert into es.streams (name, type) values ('a/1', 'a')");
        await using var inspector = new PostgresLogInspector(options);
        Assert.Equal((0L, 0L, 0L, 1L), await VerifyAsync(inspector));
        var e = await Assert.ThrowsAsync<PostgresException>(() => PostgresLaws.ExecuteAsync(connection, "update es.streams set seal = ''"));
        Assert.Equal("ES002", e.SqlState);
    }

    [Fact]
    public async Task an_older_log_in_sqlite_is_sealed_and_verified_and_grows_on()
    {
        var stream = new StreamId("old/1");
        var (command, at) = (CommandId.New(TimeProvider.System), HashLink.FromMicroseconds(1_795_442_248_114_649));
        var e = new RecordedEvent(new LogPosition(1), stream, new StreamVersion(1), EventId.Derive(command, stream, 0), "tested", 1, "{}"u8.ToArray(), new EventMetadata(command).ToJson(), at);
        await using (var file = new SqliteConnection($"Data Source={_folder.Database};Pooling=false"))
        {
            await file.OpenAsync(Cancel);
            await using var make = file.CreateCommand();
            make.CommandText = Sql(typeof(SqliteOptions), "Orleans.EventSourced.Sqlite.Sql.Migrations.0001_log.sql") + """
                insert into log values (1, $id, 1);
                insert into streams values (1, 'old/1', 'old', 1);
                insert into events values (1, 1, 1, 0, $id, 'tested', 1, '{}', $metadata);
                insert into commits values (1, 1, 1, $at, $link);
                pragma user_version = 1;
                """;
            make.Parameters.AddWithValue("$id", e.Id.Value.ToByteArray(bigEndian: true));
            make.Parameters.AddWithValue("$metadata", System.Text.Encoding.UTF8.GetString(e.Metadata.Span));
            make.Parameters.AddWithValue("$at", HashLink.Microseconds(at));
            make.Parameters.AddWithValue("$link", HashLink.Next([], e.Position, at, [HashLink.Digest(e)]));
            await make.ExecuteNonQueryAsync(Cancel);
        }

        var options = new SqliteOptions { Path = _folder.Database };
        await using var log = new SqliteEventLog(options, TimeProvider.System);
        await log.AppendAsync([Requests.Of("old/1", 1), Requests.Of("new/1", 2)], Cancel);
        await using var inspector = new SqliteLogInspector(options);
        Assert.Equal((4L, 2L, 1L, 2L), await VerifyAsync(inspector));
    }

    private static async Task<(long Events, long Commits, long Unmarked, long Streams)> VerifyAsync(ILogInspector inspector)
    {
        var report = await new LogVerification(inspector).RunAsync(null, null, Cancel);
        Assert.Empty(report.Findings.Shown);
        return (report.Events, report.Commits, report.Unmarked, report.Streams);
    }

    /// <summary>The schema as a program had it that knew no more migrations.</summary>
    private static async Task MigrateToAsync(NpgsqlConnection connection, int last)
    {
        await PostgresLaws.ExecuteAsync(connection, "create schema es; create table es.migrations (number int primary key, name text not null, applied_at timestamptz not null default clock_timestamp())");
        var assembly = typeof(PostgresOptions).Assembly;
        foreach (var resource in assembly.GetManifestResourceNames().Where(r => r.Contains(".Migrations.", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Take(last))
        {
            await PostgresLaws.ExecuteAsync(connection, $"begin; set local search_path = pg_catalog, pg_temp; {Sql(typeof(PostgresOptions), resource)}; commit");
            await PostgresLaws.ExecuteAsync(connection, $"insert into es.migrations (number, name) select count(*) + 1, '{resource}' from es.migrations");
        }
    }

    private static string Sql(Type ofAssembly, string resource)
    {
        using var reader = new StreamReader(ofAssembly.Assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }
}
