using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.Sqlite;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>A fact that cannot be used breaks its own grain, visibly, and no other.</summary>
public sealed class BrokenFactsTests : IAsyncLifetime
{
    private readonly TestFolder _folder = new();
    private TestNode _node = null!;

    public async ValueTask InitializeAsync() => _node = await TestNode.StartAsync(_folder.Database);

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("ledger-deposited", 1, """{"amount":"many"}""", typeof(LogCorruptException))]
    [InlineData("ledger-deposited", 1, "null", typeof(LogCorruptException))]
    [InlineData("ledger-deposited", 2, """{"amount":1}""", typeof(UnknownEventTypeException))]
    [InlineData("ledger-closed", 1, "{}", typeof(UnknownEventTypeException))]
    [InlineData("counter-added", 1, """{"amount":1}""", typeof(LogCorruptException))]
    [InlineData("ledger-poisoned", 1, """{"reason":"no"}""", typeof(LogCorruptException))]
    public async Task it_is_named_by_stream_version_and_position_and_other_grains_go_on(string type, short schema, string data, Type expected)
    {
        await _node.Grains.GetGrain<ILedgerGrain>("well").DepositAsync(1);
        await AppendAsync("ledger/ill", "ledger-deposited", 1, """{"amount":5}""");
        await AppendAsync("ledger/ill", type, schema, data);
        var reads = _node.Reads.StreamReads;

        for (var i = 0; i < 3; i++)
        {
            var e = Assert.IsAssignableFrom<LogCorruptException>(await Record.ExceptionAsync(() => _node.Grains.GetGrain<ILedgerGrain>("ill").DepositAsync(1)));
            Assert.IsType(expected, e);
            Assert.Equal(("ledger/ill", 2, 3L, type), (e.Stream, e.Version, e.Position, e.EventType));
        }

        Assert.InRange(_node.Reads.StreamReads - reads, 1, 3);
        Assert.Equal((1, 1), await _node.Grains.GetGrain<ILedgerGrain>("well").GetAsync());
        Assert.Equal(3, (await _node.Log.ReadHeadAsync(CancellationToken.None)).Position.Value);
    }

    [Fact]
    public async Task once_the_program_knows_the_type_the_grain_works_again()
    {
        await AppendAsync("ledger/ill", "ledger-closed", 1, """{"amount":9}""");
        await Assert.ThrowsAsync<UnknownEventTypeException>(() => _node.Grains.GetGrain<ILedgerGrain>("ill").DepositAsync(1));
        await _node.DisposeAsync();

        var types = new EventTypeMap.Builder().AddFamily<LedgerEvent>(System.Text.Json.JsonSerializerOptions.Web).Build();
        Assert.DoesNotContain("ledger-closed", types.Names.Keys);
        using (var file = new SqliteConnection($"Data Source={_folder.Database};Pooling=False"))
        {
            file.Open();
            Assert.Throws<SqliteException>(() => new SqliteCommand("update events set type = 'ledger-deposited'", file).ExecuteNonQuery());
            new SqliteCommand("drop trigger events_no_update; update events set type = 'ledger-deposited'", file).ExecuteNonQuery();
        }

        _node = await TestNode.StartAsync(_folder.Database);
        Assert.Equal((9, 1), await _node.Grains.GetGrain<ILedgerGrain>("ill").GetAsync());
    }

    [Fact]
    public async Task a_silo_without_event_types_does_not_start()
    {
        using var folder = new TestFolder();
        var e = await Assert.ThrowsAnyAsync<Exception>(() => TestNode.StartAsync(services => services.AddSqliteEventLog(o => o.Path = folder.Database), (EventSourcingOptions o) => o.EventTypes = null));
        Assert.Contains("EventTypes is missing", e.ToString(), StringComparison.Ordinal);
    }

    private async Task AppendAsync(string stream, string type, short schema, string data)
    {
        var command = CommandId.New(TimeProvider.System);
        var id = new StreamId(stream);
        var e = new NewEvent(EventId.Derive(command, id, 0), type, schema, System.Text.Encoding.UTF8.GetBytes(data), new EventMetadata(command).ToJson());
        Assert.IsType<AppendOutcome.Appended>(Assert.Single(await _node.Log.AppendAsync([new AppendRequest(id, ExpectedVersion.Any, [e])], CancellationToken.None)));
    }
}
