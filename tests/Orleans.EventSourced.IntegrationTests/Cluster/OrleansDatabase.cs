using Npgsql;
using Orleans.EventSourced.Postgres;

namespace Orleans.EventSourced.IntegrationTests.Cluster;

/// <summary>Databases of the newest schema, used as a silo uses them: through a login that is no superuser.</summary>
internal static class OrleansDatabase
{
    private const string Login = "es_test_login";

    // Logins belong to the server, so another test class may be making this one at the same moment.
    private const string CreateLogin = $"""
        do $$
        begin
          create role {Login} login password '{Login}';
        exception when duplicate_object or unique_violation then
          null;
        end $$
        """;

    /// <summary>Makes such a database; returns the connection string of Orleans' providers.</summary>
    public static async Task<string> CreateAsync(PostgresFixture postgres, CancellationToken cancellationToken)
    {
        var administrator = await postgres.CreateDatabaseAsync();
        await using (var source = NpgsqlDataSource.Create(administrator))
        {
            await using var login = source.CreateCommand(CreateLogin);
            await login.ExecuteNonQueryAsync(cancellationToken);
        }

        var options = new PostgresOptions
        {
            ConnectionString = new NpgsqlConnectionStringBuilder(administrator) { Username = Login, Password = Login }.ConnectionString,
            AdminConnectionString = administrator,
        };
        await PostgresSchema.MigrateAsync(options, cancellationToken);
        return PostgresConnectionString.ForOrleans(options);
    }
}
