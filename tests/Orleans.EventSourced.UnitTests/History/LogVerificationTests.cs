using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Xunit;

namespace Orleans.EventSourced.UnitTests.History;

public sealed class LogVerificationTests : IAsyncLifetime
{
    // Commits: 1 with 1 event, 2 with 3 events of two streams, 3 with 2, 4 with 1; the positions are 1, 2, 5, 7.
    private readonly InMemoryEventLog _log = new(TimeProvider.System);
    private RowsOfLog _rows = null!;

    public async ValueTask InitializeAsync()
    {
        await AppendAsync(("a/1", 1));
        await AppendAsync(("a/1", 2), ("b/2", 1));
        await AppendAsync(("b/2", 2));
        await AppendAsync(("a/1", 1));
        _rows = await RowsOfLog.OfAsync(_log);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task a_log_as_it_was_written_has_no_findings_and_is_counted()
    {
        var report = await VerifyAsync();
        Assert.Empty(report.Findings.Shown);
        Assert.Equal((7L, 4L, 0L, 2L, 0L), (report.Events, report.Commits, report.Unmarked, report.Streams, report.Empty));
        var head = await _log.ReadHeadAsync(CancellationToken.None);
        Assert.Equal(head with { Link = default }, report.Head! with { Link = default });
        Assert.Equal(head.Link.ToArray(), report.Head.Link.ToArray());
    }

    [Fact]
    public async Task an_empty_log_has_no_findings_and_no_end()
    {
        var report = await new LogVerification(new InMemoryEventLog(TimeProvider.System)).RunAsync(null, null, CancellationToken.None);
        Assert.Empty(report.Findings.Shown);
        Assert.Equal((LogPosition.Start, null), (report.Head!.Position, report.Head.RecordedAt));
        Assert.Null(LogAnchor.Of(report.Head));
    }

    [Fact]
    public async Task a_log_of_another_identity_and_one_without_any_are_found()
    {
        _rows.Log[0] = _rows.Log[0] with { LogId = new byte[16] };
        Assert.Equal((FindingKind.LogChanged, "log", "log_id, created_at or seal"), Place(await OneAsync()));
        _rows.Log.Clear();
        Assert.Equal((FindingKind.LogChanged, "log", null), Place(await OneAsync()));
    }

    [Fact]
    public async Task an_event_that_was_changed_is_named_among_those_of_its_commit()
    {
        _rows.ChangeEvent(1, 2, e => e with { Data = """{"n":9}"""u8.ToArray() });
        var finding = await OneAsync();
        Assert.Equal((FindingKind.EventChanged, "events"), (finding.Kind, finding.Table));
        Assert.Equal(("b/2", 1L, 4L), (finding.Stream, finding.Version, finding.Position));
    }

    [Fact]
    public async Task an_event_that_was_changed_in_a_commit_without_marks_is_named_by_the_commit()
    {
        _rows.Change(1, c => c with { Marks = null });
        _rows.ChangeEvent(1, 2, e => e with { Type = "other"u8.ToArray() });
        var finding = await OneAsync();
        Assert.Equal((FindingKind.CommitChanged, "commits", null), Place(finding));
        Assert.Equal(2, finding.Position);
        Assert.Contains("b/2 version 1", finding.Message, StringComparison.Ordinal);
        Assert.Equal(1, (await VerifyAsync()).Unmarked);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task a_link_that_was_changed_is_told_from_a_time_that_was(int commit)
    {
        var right = _rows.Commits[commit];
        _rows.Change(commit, c => c with { Link = new byte[32] });
        Assert.Equal((FindingKind.CommitChanged, "commits", "link"), Place(await OneAsync()));

        _rows.Change(commit, _ => right with { RecordedAt = right.RecordedAt - 1 });
        var findings = (await VerifyAsync()).Findings.Shown;
        Assert.Contains(findings, f => Place(f) == (FindingKind.CommitChanged, "commits", "recorded_at") && f.Position == right.Position);
        Assert.All(findings, f => Assert.Equal("recorded_at", f.Column));
    }

    [Fact]
    public async Task of_the_last_commit_only_an_anchor_tells_link_from_time()
    {
        var anchor = LogAnchor.Of(await _log.ReadHeadAsync(CancellationToken.None))!;
        var right = _rows.Commits[3];
        _rows.Change(3, c => c with { Link = new byte[32] });
        Assert.Equal((FindingKind.ChainBroken, "commits", "recorded_at or link"), Place(await OneAsync()));
        Assert.Contains((await VerifyAsync(anchor)).Findings.Shown, f => Place(f) == (FindingKind.ChainBroken, "commits", "link"));

        _rows.Change(3, _ => right with { RecordedAt = right.RecordedAt + 1 });
        Assert.Contains((await VerifyAsync(anchor)).Findings.Shown, f => Place(f) == (FindingKind.ChainBroken, "commits", "recorded_at"));
    }

    [Fact]
    public async Task a_commit_whose_count_marks_or_position_were_changed_is_named_with_the_column()
    {
        var right = _rows.Commits[1];
        _rows.Change(1, c => c with { Count = 4 });
        Assert.Equal((FindingKind.CommitChanged, "commits", "count"), Place(await OneAsync()));

        _rows.Change(1, _ => right with { Marks = new byte[12] });
        Assert.Equal((FindingKind.CommitChanged, "commits", "marks"), Place(await OneAsync()));

        _rows.Change(1, _ => right with { Position = 3 });
        Assert.Contains((await VerifyAsync()).Findings.Shown, f => Place(f) == (FindingKind.CommitChanged, "commits", "position") && f.Position == 3);
    }

    [Fact]
    public async Task a_commit_without_its_events_and_one_that_is_gone_are_found()
    {
        var right = _rows.Commits[1];
        _rows.Change(1, c => c with { Id = 99, Events = [] });
        Assert.Equal((FindingKind.CommitChanged, "commits", "id"), Place(await OneAsync()));

        _rows.Commits.RemoveAt(1);
        Assert.Contains((await VerifyAsync()).Findings.Shown, f => f is { Kind: FindingKind.CommitChanged, Position: 5 } && f.Message.Contains("Position 2 was expected", StringComparison.Ordinal));
        Assert.Equal(3, right.Count);
    }

    [Fact]
    public async Task an_event_that_is_gone_leaves_a_place_in_its_commit_and_in_its_stream()
    {
        _rows.Change(1, c => c with { Events = [c.Events[0], c.Events[2]] });
        _rows.Places.RemoveAll(p => p is { StreamId: 1, Version: 3 });
        var findings = (await VerifyAsync()).Findings.Shown;
        Assert.Contains(findings, f => f is { Kind: FindingKind.EventMissing, Table: "events", Position: 3 });
        Assert.Contains(findings, f => f is { Kind: FindingKind.EventMissing, Stream: "a/1", Version: 4 });
    }

    [Fact]
    public async Task an_event_that_is_too_many_is_found()
    {
        _rows.Change(0, c => c with { Events = [.. c.Events, c.Events[0] with { Ordinal = 1, Version = 9 }] });
        Assert.Contains((await VerifyAsync()).Findings.Shown, f => f is { Kind: FindingKind.EventStray, Table: "events", Column: "commit_id or ordinal", Stream: "a/1", Version: 9 });
    }

    [Fact]
    public async Task an_event_whose_commit_or_stream_is_not_there_is_found()
    {
        _rows.Places[0] = _rows.Places[0] with { CommitPosition = null };
        Assert.Equal((FindingKind.EventStray, "events", "commit_id"), Place(await OneAsync()));

        _rows.Places[0] = _rows.Places[0] with { CommitPosition = 1, StreamId = 77 };
        Assert.Contains((await VerifyAsync()).Findings.Shown, f => f is { Kind: FindingKind.EventStray, Column: "stream_id", Row: "stream_id 77", Version: 1 });
    }

    [Fact]
    public async Task a_stream_that_was_changed_is_named_by_its_number()
    {
        var right = _rows.Streams[1];
        foreach (var (changed, column) in new (StreamRow, string)[]
        {
            (right with { Type = "x"u8.ToArray() }, "type or name"),
            (right with { IsTouched = true }, "touched"),
            (right with { CreatedAt = right.CreatedAt + 1 }, "id, name, created_at or seal"),
            (right with { Seal = new byte[32] }, "id, name, created_at or seal"),
        })
        {
            _rows.Streams[1] = changed;
            var finding = await OneAsync();
            Assert.Equal((FindingKind.StreamChanged, "streams", column), Place(finding));
            Assert.Equal(("id 2", "b/2"), (finding.Row, finding.Stream));
        }

        _rows.Streams[1] = right with { Name = "no name"u8.ToArray(), Type = "no name"u8.ToArray() };
        Assert.Contains((await VerifyAsync()).Findings.Shown, f => Place(f) == (FindingKind.StreamChanged, "streams", "name"));
    }

    [Fact]
    public async Task a_stream_without_events_is_allowed_and_counted()
    {
        var name = "c/3"u8.ToArray();
        _rows.Streams.Add(new StreamRow(3, name, "c"u8.ToArray(), 5, IsTouched: false, RowSeal.OfStream(3, name, 5)));
        var report = await VerifyAsync();
        Assert.Empty(report.Findings.Shown);
        Assert.Equal((3L, 1L), (report.Streams, report.Empty));
    }

    [Fact]
    public async Task a_log_that_was_written_anew_from_some_event_on_fits_itself_but_not_its_anchor()
    {
        var anchor = LogAnchor.Of(await _log.ReadHeadAsync(CancellationToken.None))!;
        var forged = new InMemoryEventLog(TimeProvider.System);
        await forged.AppendAsync([Request("a/1", 1)], CancellationToken.None);
        var rows = await RowsOfLog.OfAsync(forged);
        (rows.Log[0], _rows.Damaged) = (_rows.Log[0], null);
        Assert.Empty((await new LogVerification(rows).RunAsync(null, null, CancellationToken.None)).Findings.Shown);
        var finding = Assert.Single((await new LogVerification(rows).RunAsync(anchor, null, CancellationToken.None)).Findings.Shown);
        Assert.Equal(FindingKind.AnchorMissed, finding.Kind);
        Assert.Contains("ends at position 1", finding.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("log", false)]
    [InlineData("commits", true)]
    [InlineData("streams", true)]
    [InlineData("events", true)]
    public async Task a_table_that_cannot_be_read_is_a_finding_and_the_others_are_verified(string table, bool hasHead)
    {
        (_rows.Damaged, _rows.Log[0]) = (table, _rows.Log[0] with { CreatedAt = 0 });
        var report = await VerifyAsync();
        Assert.Contains(report.Findings.Shown, f => f.Kind == FindingKind.Unreadable && f.Table.Contains(table, StringComparison.Ordinal));
        Assert.Equal(table != "log", report.Findings.Shown.Any(f => f.Kind == FindingKind.LogChanged));
        Assert.Equal(hasHead, report.Head is not null);
    }

    [Fact]
    public async Task more_findings_than_are_shown_are_counted()
    {
        for (var i = 0; i < FindingList.MaxShown + 5; i++)
        {
            var name = Encoding.UTF8.GetBytes($"s/{i}");
            _rows.Streams.Add(new StreamRow(100 + i, name, "s"u8.ToArray(), 5, IsTouched: true, RowSeal.OfStream(100 + i, name, 5)));
        }

        var findings = (await VerifyAsync()).Findings;
        Assert.Equal((FindingList.MaxShown, FindingList.MaxShown + 5L, true), (findings.Shown.Count, findings.Total, findings.IsTruncated));
    }

    [Fact]
    public async Task an_anchor_comes_back_from_its_file_and_what_is_none_is_refused()
    {
        var folder = Directory.CreateTempSubdirectory("anchor-").FullName;
        var path = Path.Combine(folder, "anchor.json");
        var anchor = LogAnchor.Of(await _log.ReadHeadAsync(CancellationToken.None))!;
        await (anchor with { Position = 1 }).WriteAsync(path, CancellationToken.None);
        await anchor.WriteAsync(path, CancellationToken.None);
        Assert.Equal(anchor, await LogAnchor.ReadAsync(path, CancellationToken.None));
        Assert.Equal([path], Directory.GetFiles(folder));

        foreach (var text in (string[])["", "null", "{}", """{"logId":"x"}"""])
        {
            await File.WriteAllTextAsync(path, text, TestContext.Current.CancellationToken);
            await Assert.ThrowsAsync<InvalidDataException>(() => LogAnchor.ReadAsync(path, CancellationToken.None));
        }

        Directory.Delete(folder, recursive: true);
    }

    private static (FindingKind Kind, string Table, string? Column) Place(Finding f) => (f.Kind, f.Table, f.Column);

    private static AppendRequest Request(string stream, int events)
    {
        var (id, name) = (CommandId.New(TimeProvider.System), new StreamId(stream));
        return new AppendRequest(
            name, ExpectedVersion.Any, [.. Enumerable.Range(0, events).Select(i => new NewEvent(EventId.Derive(id, name, i), "tested", 1, Encoding.UTF8.GetBytes($$"""{"n":{{i}}}"""), new EventMetadata(id).ToJson()))]);
    }

    private Task AppendAsync(params (string Stream, int Events)[] requests) => _log.AppendAsync([.. requests.Select(r => Request(r.Stream, r.Events))], CancellationToken.None);

    private Task<LogVerificationReport> VerifyAsync(LogAnchor? anchor = null) => new LogVerification(_rows).RunAsync(anchor, null, CancellationToken.None);

    private async Task<Finding> OneAsync() => Assert.Single((await VerifyAsync()).Findings.Shown);
}
