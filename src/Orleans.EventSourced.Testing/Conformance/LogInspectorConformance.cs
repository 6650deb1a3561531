using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Xunit;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Conformance;

/// <summary>What every <see cref="ILogInspector"/> does, one fact a behaviour. A store's tests derive from it and say how a log is opened.</summary>
public abstract class LogInspectorConformance
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Opens an empty log that nobody else writes to, and what inspects it. Whoever derives closes both after the fact.</summary>
    protected abstract Task<(IEventLog Log, ILogInspector Inspector)> OpenAsync();

#pragma warning disable CS1591 // The name of a fact is its documentation.
    [Fact]
    public async Task an_empty_log_has_its_own_row_and_no_other()
    {
        var (log, inspector) = await OpenAsync();

        var row = Assert.Single(await inspector.ReadLogRowsAsync(Token));

        Assert.Equal((1L, (await log.ReadHeadAsync(Token)).LogId), (row.OnlyRow, new Guid(row.LogId.Span, bigEndian: true)));
        Assert.Equal(RowSeal.OfLog(row.LogId.Span, row.CreatedAt), row.Seal.ToArray());
        Assert.Empty(await AllAsync(inspector.ReadCommitRowsAsync(Token)));
        Assert.Empty(await AllAsync(inspector.ReadStreamRowsAsync(Token)));
        Assert.Empty(await AllAsync(inspector.ReadEventPlacesAsync(Token)));
    }

    [Fact]
    public async Task the_rows_are_those_that_were_appended()
    {
        var (log, inspector) = await OpenAsync();
        AppendRequest[] batch = [Request("a/schlüssel 😀", 2), Request("b/1", 1)];
        await log.AppendAsync(batch, Token);
        await log.AppendAsync([Request("b/1", 1)], Token);

        var commits = await AllAsync(inspector.ReadCommitRowsAsync(Token));
        var streams = await AllAsync(inspector.ReadStreamRowsAsync(Token));
        var places = await AllAsync(inspector.ReadEventPlacesAsync(Token));
        var read = await log.ReadLogAsync(LogPosition.Start, 10, Token);

        Assert.Equal([(1L, 3L), (4L, 1L)], commits.Select(c => (c.Position, c.Count)));
        Assert.Equal(read.Select(e => (e.Position.Value, e.Stream.Value, (long)e.Version.Value, e.Id.Value)), commits.SelectMany(c => c.Events.Select(e => (c.Position + e.Ordinal, Text(e.Stream!.Value), e.Version, new Guid(e.Id.Span, bigEndian: true)))));
        Assert.Equal(read.Select(e => (e.Type, (long)e.Schema, Text(e.Data), Text(e.Metadata))), commits.SelectMany(c => c.Events.Select(e => (Text(e.Type), e.Schema, Text(e.Data), Text(e.Metadata)))));
        Assert.Equal([HashLink.Microseconds(read[0].RecordedAt), HashLink.Microseconds(read[3].RecordedAt)], commits.Select(c => c.RecordedAt));
        Assert.Equal((await log.ReadHeadAsync(Token)).Link.ToArray(), commits[1].Link.ToArray());
        Assert.Equal(HashLink.Marks([.. read.Take(3).Select(HashLink.Digest)]), commits[0].Marks!.Value.ToArray());
        Assert.Equal([("a/schlüssel 😀", "a"), ("b/1", "b")], streams.Select(s => (Text(s.Name), Text(s.Type))).Order());
        Assert.All(streams, s => Assert.Equal(RowSeal.OfStream(s.Id, s.Name.Span, s.CreatedAt), s.Seal.ToArray()));
        Assert.Equal(commits.SelectMany(c => c.Events.Select(e => new EventPlace(e.StreamId, e.Version, c.Id, e.Ordinal, c.Position))).OrderBy(p => (p.StreamId, p.Version)), places);
    }

    [Fact]
    public async Task a_log_of_many_pages_is_read_whole_and_has_no_findings()
    {
        const int Lone = 1_100;
        const int Wide = 13;
        const int Width = 400;
        var (log, inspector) = await OpenAsync();
        for (var i = 0; i < Wide; i++)
        {
            await log.AppendAsync([.. Enumerable.Range(0, Width).Select(n => Request($"wide/{i}-{n}", 1))], Token);
        }

        for (var i = 0; i < Lone; i++)
        {
            await log.AppendAsync([Request("lone/1", 1)], Token);
        }

        var report = await new LogVerification(inspector).RunAsync(null, null, Token);

        Assert.Empty(report.Findings.Shown);
        Assert.Equal(((Wide * Width) + Lone, Wide + Lone, (Wide * Width) + 1, 0), (report.Events, report.Commits, report.Streams, report.Unmarked));
    }

    [Fact]
    public async Task a_log_may_be_verified_while_it_grows()
    {
        var (log, inspector) = await OpenAsync();
        using var ended = new CancellationTokenSource();
        var writing = Task.Run(async () =>
        {
            for (var i = 0; !ended.IsCancellationRequested && i < 5_000; i++)
            {
                await log.AppendAsync([Request($"growing/{i % 50}", 2), Request($"new/{i}", 1)], Token);
            }
        });

        for (var i = 0; i < 5; i++)
        {
            Assert.Empty((await new LogVerification(inspector).RunAsync(null, null, Token)).Findings.Shown);
        }

        await ended.CancelAsync();
        await writing;
        var report = await new LogVerification(inspector).RunAsync(null, null, Token);
        Assert.Empty(report.Findings.Shown);
        Assert.Equal((await log.ReadHeadAsync(Token)).Position, report.Head!.Position);
    }
#pragma warning restore CS1591

    private static AppendRequest Request(string stream, int events)
    {
        var (id, name) = (CommandId.New(TimeProvider.System), new StreamId(stream));
        return new AppendRequest(
            name, ExpectedVersion.Any, [.. Enumerable.Range(0, events).Select(i => new NewEvent(EventId.Derive(id, name, i), "thing-happened", 1, Encoding.UTF8.GetBytes($$"""{ "n" : {{i}} }"""), new EventMetadata(id).ToJson()))]);
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    private static async Task<List<T>> AllAsync<T>(IAsyncEnumerable<T> rows)
    {
        var all = new List<T>();
        await foreach (var row in rows)
        {
            all.Add(row);
        }

        return all;
    }
}
