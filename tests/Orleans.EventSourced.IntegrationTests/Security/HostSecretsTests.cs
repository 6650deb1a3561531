using System.Net;
using Npgsql;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Log;
using Orleans.EventSourced.IntegrationTests.Processes;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Security;

/// <summary>The real program with tokens and passwords.</summary>
[Collection("processes")]
public sealed class HostSecretsTests(PostgresFixture postgres) : IDisposable
{
    private const string Secret = "tok-5f1d0c8b7a6e4d3c2b1a";
    private const string Password = "pw-9e8d7c6b5a4f3e2d1c0b";
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("nobody may use it", "--environment", "Production")]
    [InlineData("Fines:Tokens:anna:Secret has 15 characters", "Fines__Tokens__anna__Secret=123456789012345", "Fines__Tokens__anna__Roles=read")]
    [InlineData("Fines:Tokens:anna:Secret has 0 characters", "Fines__Tokens__anna__Roles=read", "--environment=Production")]
    [InlineData("Fines:Tokens:anna:Roles is 'reader'", $"Fines__Tokens__anna__Secret={Secret}", "Fines__Tokens__anna__Roles=reader")]
    [InlineData("Fines:Tokens:anna:Roles is ''", $"Fines__Tokens__anna__Secret={Secret}", "Fines__Tokens__anna__Roles=")]
    [InlineData("anna and bob have the same secret", $"Fines__Tokens__anna__Secret={Secret}", "Fines__Tokens__anna__Roles=read", $"Fines__Tokens__bob__Secret={Secret}", "Fines__Tokens__bob__Roles=write")]
    public async Task a_program_that_lets_nobody_in_or_does_not_know_whom_ends_with_one_sentence(string reason, params string[] settings)
    {
        var (code, output, errors) = await HostProcess.RunToEndAsync(_folder, null, settings);
        Assert.Equal(1, code);
        Assert.StartsWith("The API cannot be opened: ", errors, StringComparison.Ordinal);
        Assert.Contains(reason, errors, StringComparison.Ordinal);
        Assert.Single(errors.Trim().Split('\n'));
        Assert.DoesNotContain(Secret, output + errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task no_secret_is_in_anything_that_the_program_writes()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        var login = "secret_" + Path.GetRandomFileName()[..8];
        await using (var connection = await PostgresLaws.ConnectAsync(eventlog, null))
        {
            await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = eventlog }, TestContext.Current.CancellationToken);
            await PostgresLaws.ExecuteAsync(connection, $"create role {login} login password '{Password}' in role es_writer; grant all on schema orleans to {login}; grant all on all tables in schema orleans to {login}");
        }

        var own = new NpgsqlConnectionStringBuilder(eventlog) { Username = login, Password = Password }.ConnectionString;
        await using (var host = await HostProcess.ServeAsync(_folder, own, settings: ["--environment=Production", $"Fines__Tokens__anna__Secret={Secret}", "Fines__Tokens__anna__Roles=read,write", "Logging__LogLevel__Default=Trace", $"ConnectionStrings__eventlog-admin={eventlog}"]))
        {
            using var refused = await host.Http.GetAsync("/fines/a");
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            host.Http.DefaultRequestHeaders.Authorization = new("Bearer", Secret);
            using var missing = await host.Http.GetAsync("/fines/a");
            Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
            using var health = await host.Http.GetAsync("/health");
            await host.TerminateAsync();
            Assert.Contains("Access: bearer tokens of anna (read, write)", host.Output, StringComparison.Ordinal);
            AssertClean(host.Output + host.Errors + await health.Content.ReadAsStringAsync());
        }

        // Neither where the password is wrong, or the string cannot be read.
        foreach (var bad in (string[])[own.Replace(login, "nobody_" + login, StringComparison.Ordinal), $"Host=127.0.0.1;Passwort={Password}", $"Host=127.0.0.1;Port=1;Username=a;Password={Password}"])
        {
            var (code, output, errors) = await HostProcess.RunToEndAsync(_folder, bad, "--environment=Development");
            Assert.Equal(1, code);
            AssertClean(output + errors);
        }
    }

    private static void AssertClean(string text)
    {
        Assert.DoesNotContain(Secret, text, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, text, StringComparison.Ordinal);
    }
}
