using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Sqlite;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>What the SQLite file itself refuses, and who may have it.</summary>
public sealed class SqliteLaws : IAsyncLifetime
{
    private readonly TestFolder _folder = new();
    private SqliteEventLog _log = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private SqliteOptions Options => new() { Path = _folder.Database };

    public async ValueTask InitializeAsync()
    {
        _log = new SqliteEventLog(Options, TimeProvider.System);
        await _log.AppendAsync([Requests.One("fine/a")], Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await _log.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("update log set log_id = zeroblob(16)")]
    [InlineData("update streams set name = 'fine/other'")]
    [InlineData("update events set data = '{}'")]
    [InlineData("update commits set count = 2")]
    [InlineData("update log set seal = zeroblob(32)")]
    [InlineData("update streams set seal = zeroblob(32)")]
    [InlineData("update commits set marks = null")]
    [InlineData("delete from log")]
    [InlineData("delete from streams")]
    [InlineData("delete from events")]
    [InlineData("delete from commits")]
    [InlineData("insert or replace into events select stream_id, version, commit_id, ordinal, id, type, schema, '{}', metadata from events")]
    [InlineData("replace into events select stream_id, version, commit_id + 1, ordinal, randomblob(16), type, schema, '{}', metadata from events")]
    [InlineData("replace into events select stream_id, version + 1, commit_id + 1, ordinal, id, type, schema, '{}', metadata from events")]
    [InlineData("replace into events select stream_id, version + 1, commit_id, ordinal, randomblob(16), type, schema, '{}', metadata from events")]
    [InlineData("replace into events (rowid, stream_id, version, commit_id, ordinal, id, type, schema, data, metadata) select rowid, 77, version, 77, 77, randomblob(16), type, schema, '{}', metadata from events")]
    [InlineData("replace into commits (position, id, count, recorded_at, link) select position, id + 1, count, recorded_at, zeroblob(32) from commits")]
    [InlineData("replace into commits (position, id, count, recorded_at, link) select position + 1, id, count, recorded_at, zeroblob(32) from commits")]
    [InlineData("replace into streams (id, name, type, created_at) select id, 'fine/other', type, created_at from streams")]
    [InlineData("replace into streams (id, name, type, created_at) select id + 1, name, type, created_at from streams")]
    [InlineData("replace into log (only_row, log_id, created_at) select only_row, zeroblob(16), created_at from log")]
    public async Task facts_cannot_be_changed(string change)
    {
        using var file = new SqliteConnection($"Data Source={_folder.Database};Pooling=False");
        file.Open();
        Assert.Equal(19, Assert.Throws<SqliteException>(() => new SqliteCommand(change, file).ExecuteNonQuery()).SqliteErrorCode);
        Assert.Equal("""{"n":0}""", System.Text.Encoding.UTF8.GetString((await _log.ReadLogAsync(LogPosition.Start, 10, Cancel))[0].Data.Span));
    }

    [Fact]
    public async Task a_clean_stop_leaves_the_whole_log_in_its_one_file()
    {
        for (var i = 0; i < 50; i++)
        {
            await _log.AppendAsync([Requests.One($"fine/b{i}")], Cancel);
            await _log.ReadHeadAsync(Cancel);
        }

        await _log.DisposeAsync();
        Assert.False(File.Exists($"{_folder.Database}-wal"));
        var copy = new SqliteOptions { Path = Path.Combine(_folder.Path, "copy.db") };
        File.Copy(_folder.Database, copy.Path);
        await using (var copied = new SqliteEventLog(copy, TimeProvider.System))
        {
            Assert.Equal(51, (await copied.ReadHeadAsync(Cancel)).Position.Value);
        }

        _log = new SqliteEventLog(Options, TimeProvider.System);
    }

    [Fact]
    public async Task a_second_writer_is_refused_and_a_reader_is_not()
    {
        var e = Assert.Throws<LogMisconfiguredException>(() => new SqliteEventLog(Options, TimeProvider.System));
        Assert.Contains("in use by another process", e.Message, StringComparison.Ordinal);
        await using var reader = new SqliteEventLog(new SqliteOptions { Path = _folder.Database, ReadOnly = true }, TimeProvider.System);
        Assert.Single(await reader.ReadLogAsync(LogPosition.Start, 10, Cancel));
        await Assert.ThrowsAsync<LogMisconfiguredException>(async () => await reader.AppendAsync([Requests.One("fine/b")], Cancel));
    }

    [Fact]
    public async Task a_symbolic_link_is_the_file_it_stands_for()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder.Path, "elsewhere")).FullName;
        var link = new SqliteOptions { Path = Path.Combine(folder, "link.db") };
        File.CreateSymbolicLink(link.Path, Path.Combine("..", Path.GetFileName(_folder.Database)));
        var e = Assert.Throws<LogMisconfiguredException>(() => new SqliteEventLog(link, TimeProvider.System));
        Assert.Contains($"'{_folder.Database}' is in use by another process", e.Message, StringComparison.Ordinal);

        await _log.DisposeAsync();
        await SqliteSchema.PrepareAsync(link, Cancel);
        Assert.Equal([link.Path], Directory.GetFiles(folder));
        Assert.True(File.Exists(Path.Combine(_folder.Path, "eventlog-views.db")));
        _log = new SqliteEventLog(link, TimeProvider.System);
        Assert.Equal(1, (await _log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Fact]
    public async Task a_commit_is_on_the_disk_before_it_is_answered()
    {
        await _log.DisposeAsync();
        Assert.Contains("journal wal, synchronous full", await SqliteSchema.PrepareAsync(Options, Cancel), StringComparison.Ordinal);
        _log = new SqliteEventLog(Options, TimeProvider.System);
    }

    [Fact]
    public async Task a_stream_of_white_space_from_before_it_was_refused_is_read()
    {
        using (var file = new SqliteConnection($"Data Source={_folder.Database};Pooling=False"))
        {
            file.Open();
            new SqliteCommand("insert into streams (id, name, type, created_at) select 77, 'fine/ ', type, created_at from streams; insert into events select 77, 1, 77, 0, randomblob(16), type, schema, data, metadata from events; insert into commits (position, id, count, recorded_at, link) select 2, 77, 1, recorded_at, link from commits", file).ExecuteNonQuery();
        }

        Assert.Equal(["fine/a", "fine/ "], (await _log.ReadLogAsync(LogPosition.Start, 10, Cancel)).Select(e => e.Stream.Value));
    }

    [Fact]
    public async Task a_newer_schema_and_a_foreign_file_are_refused()
    {
        await _log.DisposeAsync();
        using (var file = new SqliteConnection($"Data Source={_folder.Database};Pooling=False"))
        {
            file.Open();
            new SqliteCommand("pragma user_version = 999", file).ExecuteNonQuery();
        }

        Assert.Contains("version 999", Assert.Throws<LogMisconfiguredException>(() => new SqliteEventLog(Options, TimeProvider.System)).Message, StringComparison.Ordinal);
        var foreign = new SqliteOptions { Path = Path.Combine(_folder.Path, "foreign.db") };
        await File.WriteAllTextAsync(foreign.Path, new string('x', 5_000), Cancel);
        Assert.Throws<LogMisconfiguredException>(() => new SqliteEventLog(foreign, TimeProvider.System));
    }

    [Fact]
    public async Task a_look_up_of_a_command_is_bounded_however_many_share_its_instant()
    {
        var instant = Requests.OfOneInstant(2_001).ToList();
        await _log.AppendAsync([.. instant.Select(c => c.Request)], Cancel);
        Assert.Equal("instant/1999", (await _log.FindCommandAsync(instant[1_999].Command, Cancel))?.Stream.Value);
        Assert.Null(await _log.FindCommandAsync(instant[2_000].Command, Cancel));
    }

    [Theory]
    [InlineData("zeroblob(16)", "1")]
    [InlineData("randomblob(16)", "40000")]
    public async Task a_row_that_is_no_event_is_told_by_stream_and_version(string id, string schema)
    {
        using (var file = new SqliteConnection($"Data Source={_folder.Database};Pooling=False"))
        {
            file.Open();
            new SqliteCommand($"insert into events select stream_id, 2, 77, 0, {id}, type, {schema}, data, metadata from events; insert into commits (position, id, count, recorded_at, link) select 2, 77, 1, recorded_at, link from commits", file).ExecuteNonQuery();
        }

        var read = await Assert.ThrowsAsync<LogCorruptException>(() => _log.ReadStreamsAsync([new StreamRead(new StreamId("fine/a"), StreamVersion.None, 10)], Cancel));
        Assert.Equal(("fine/a", 2, 2L), (read.Stream, read.Version, read.Position));
    }

    [Fact]
    public async Task what_was_written_is_there_after_the_file_is_opened_again()
    {
        var head = await _log.ReadHeadAsync(Cancel);
        await _log.DisposeAsync();
        _log = new SqliteEventLog(Options, TimeProvider.System);
        var again = await _log.ReadHeadAsync(Cancel);
        Assert.Equal((head.LogId, head.Position, Convert.ToHexString(head.Link.Span)), (again.LogId, again.Position, Convert.ToHexString(again.Link.Span)));
        Assert.Equal(new LogPosition(2), Assert.IsType<AppendOutcome.Appended>(Assert.Single(await _log.AppendAsync([Requests.One("fine/b")], Cancel))).Position);
    }
}
