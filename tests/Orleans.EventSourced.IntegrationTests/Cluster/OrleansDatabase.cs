using System.Reflection;
using Npgsql;

namespace Orleans.EventSourced.IntegrationTests.Cluster;

/// <summary>Databases with the tables of Orleans' providers and nothing else.</summary>
internal static class OrleansDatabase
{
    private const string Script = "Orleans.EventSourced.Postgres.Sql.Migrations.0002_orleans.sql";

    // Roles belong to the server, so another test class may be making this one at the same moment.
    private const string CreateRole = """
        do $$
        begin
          create role es_writer nologin;
        exception when duplicate_object or unique_violation then
          null;
        end $$
        """;

    /// <summary>Makes such a database; returns the connection string of a silo, with no more rights than a silo has.</summary>
    public static async Task<string> CreateAsync(PostgresFixture postgres)
    {
        var administrator = await postgres.CreateDatabaseAsync();
        await using (var source = NpgsqlDataSource.Create(administrator))
        {
            await using var role = source.CreateCommand(CreateRole);
            await role.ExecuteNonQueryAsync();

            await using var connection = await source.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await using var pin = new NpgsqlCommand("set local search_path = pg_catalog", connection, transaction);
            await pin.ExecuteNonQueryAsync();
            await using var script = new NpgsqlCommand(await ReadScriptAsync(), connection, transaction);
            await script.ExecuteNonQueryAsync();
            await transaction.CommitAsync();
        }

        return new NpgsqlConnectionStringBuilder(administrator) { SearchPath = "orleans", Options = "-c role=es_writer" }.ConnectionString;
    }

    private static async Task<string> ReadScriptAsync()
    {
        var stream = Assembly.Load("Orleans.EventSourced.Postgres").GetManifestResourceStream(Script)
            ?? throw new InvalidOperationException($"The assembly has no resource {Script}.");
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
