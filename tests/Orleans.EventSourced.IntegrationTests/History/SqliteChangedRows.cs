using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Sqlite;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.History;

public sealed class SqliteChangedRows(ITestOutputHelper output) : ChangedRowsTests(output)
{
    private readonly TestFolder _folder = new();
    private readonly Dictionary<(string Table, string Column), string> _types = [];
    private SqliteEventLog _log = null!;
    private SqliteLogInspector _inspector = null!;
    private SqliteConnection _connection = null!;

    protected override ILogInspector Inspector => _inspector;

    protected override IEventLog Log => _log;

    public override async ValueTask InitializeAsync()
    {
        var options = new SqliteOptions { Path = _folder.Database };
        _log = new SqliteEventLog(options, TimeProvider.System);
        _inspector = new SqliteLogInspector(options);
        _connection = new SqliteConnection($"Data Source={_folder.Database};Pooling=false");
        await _connection.OpenAsync(Cancel);
        Execute("pragma ignore_check_constraints = 1; pragma synchronous = off");
        foreach (var trigger in Rows("select name from sqlite_master where type = 'trigger'"))
        {
            Execute($"drop trigger {trigger["name"]}");
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _inspector.DisposeAsync();
        await _log.DisposeAsync();
        _folder.Dispose();
    }

    protected override Task<List<Dictionary<string, object?>>> ReadAsync(string table)
    {
        var columns = Rows($"select name, type from pragma_table_info('{table}')");
        foreach (var column in columns)
        {
            _types[(table, (string)column["name"]!)] = (string)column["type"]!;
        }

        // Texts as bytes: what is flipped need be no text any more.
        return Task.FromResult(Rows($"select {string.Join(", ", columns.Select(c => c["type"] is "TEXT" ? $"cast({c["name"]} as blob) as {c["name"]}" : c["name"]))} from {table}"));
    }

    protected override Task<bool> SetAsync(ChangedRow row, string column, object? value)
    {
        using var command = _connection.CreateCommand();
        var keys = Tables[row.Table];
        var set = _types[(row.Table, column)] == "TEXT" ? "cast($value as text)" : "$value";
        command.CommandText = $"update {row.Table} set {column} = {set} where {string.Join(" and ", keys.Select(k => $"{k} = ${k}").DefaultIfEmpty("true"))}";
        command.Parameters.AddWithValue("$value", value ?? DBNull.Value);
        foreach (var key in keys)
        {
            command.Parameters.AddWithValue($"${key}", row.Values[key]);
        }

        try
        {
            Assert.Equal(1, command.ExecuteNonQuery());
            return Task.FromResult(true);
        }
        catch (SqliteException e) when (e.SqliteErrorCode == 19)
        {
            return Task.FromResult(false);
        }
    }

    private void Execute(string sql)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private List<Dictionary<string, object?>> Rows(string sql)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<Dictionary<string, object?>>();
        while (reader.Read())
        {
            rows.Add(Enumerable.Range(0, reader.FieldCount).ToDictionary(reader.GetName, i => reader.IsDBNull(i) ? null : reader.GetValue(i)));
        }

        return rows;
    }
}
