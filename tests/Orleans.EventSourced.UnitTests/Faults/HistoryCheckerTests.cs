using System.Text;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Testing.Faults;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Faults;

/// <summary>A history and a log that fit, and then one thing at a time that must never happen.</summary>
public sealed class HistoryCheckerTests
{
    private static readonly StreamId Stream = new("s/1");
    private static readonly CommandId First = CommandId.FromText("first");
    private static readonly CommandId Second = CommandId.FromText("second");
    private static readonly CommandId Third = CommandId.FromText("third");
    private readonly ClientHistory _history = new();
    private List<RecordedEvent> _log = [];

    [Fact]
    public async Task what_happened_as_it_should_is_not_found_fault_with()
    {
        await LiveAsync();
        Assert.Empty(Check());
    }

    [Fact]
    public async Task an_acknowledged_command_that_is_not_in_the_log_is_lost()
    {
        await LiveAsync();
        _log.RemoveAt(3);
        Assert.Contains("I1", Check());
    }

    [Fact]
    public async Task a_command_that_is_acknowledged_at_another_position_is_lost_there()
    {
        await LiveAsync();
        _history.Ok("b", Second, Stream, new StreamVersion(4), new LogPosition(3), 1);
        Assert.Equal(["I1", "I2"], Check());
    }

    [Fact]
    public async Task a_command_written_again_with_other_ids_has_two_effects()
    {
        await LiveAsync();
        _log.Add(Recorded(5, 5, EventId.Derive(Third, Stream, 0), First));
        Assert.Equal(["I1", "I2"], Check());
    }

    [Fact]
    public async Task a_command_of_which_more_was_written_than_it_was_told_has_more_than_its_effect()
    {
        await LiveAsync();
        _history.Invoke("c", Third, Stream);
        _history.Ok("c", Third, Stream, new StreamVersion(6), new LogPosition(6), 1);
        _log.AddRange([Recorded(5, 5, EventId.Derive(Third, Stream, 0), Third), Recorded(6, 6, EventId.Derive(Third, Stream, 1), Third)]);
        Assert.Equal(["I2"], Check());
    }

    [Theory]
    [InlineData(HistoryKind.Fail, true)]
    [InlineData(HistoryKind.Refused, true)]
    [InlineData(HistoryKind.Unknown, false)]
    public async Task a_command_that_was_answered_with_no_is_never_in_the_log(HistoryKind answer, bool isNever)
    {
        await LiveAsync();
        _history.Invoke("c", Third, Stream);
        _history.Add(new HistoryLine(0, "c", answer, Third, Stream));
        _log.Add(Recorded(5, 5, EventId.Derive(Third, Stream, 0), Third));
        Assert.Equal(isNever ? ["I3"] : [], Check());
    }

    [Fact]
    public async Task a_try_that_failed_says_nothing_of_an_earlier_one_whose_fate_is_unknown()
    {
        await LiveAsync();
        _history.Invoke("c", Third, Stream);
        _history.Unknown("c", Third, Stream);
        _history.Invoke("c", Third, Stream);
        _history.Fail("c", Third, Stream);
        _log.Add(Recorded(5, 5, EventId.Derive(Third, Stream, 0), Third));
        Assert.Empty(Check());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task a_command_that_was_in_the_log_when_it_was_sent_again_cannot_be_refused(bool isKnown)
    {
        await LiveAsync();
        _history.Invoke("c", Third, Stream);
        _history.Unknown("c", Third, Stream);
        if (isKnown)
        {
            _history.Read("d", Stream, new LogPosition(5), isSession: false);
        }

        _history.Invoke("c", Third, Stream);
        _history.Refused("c", Third, Stream);
        _log.Add(Recorded(5, 5, EventId.Derive(Third, Stream, 0), Third));
        Assert.Equal(isKnown ? ["I3"] : [], Check());
    }

    [Fact]
    public async Task an_event_that_nobody_asked_for_is_found_unless_an_event_before_it_is_its_cause()
    {
        await LiveAsync();
        var e = Recorded(5, 5, EventId.Derive(Third, Stream, 0), Third);
        _log.Add(e);
        Assert.Equal(["I2"], Check());
        _log[^1] = e with { Metadata = new EventMetadata(Third, Causation: _log[0].Id.ToString()).ToJson() };
        Assert.Empty(Check());
        _log[^1] = e with { Metadata = new EventMetadata(Third, Causation: e.Id.ToString()).ToJson() };
        Assert.Equal(["I2"], Check());
        var other = new StreamId("s/2");
        _log[^1] = e with { Stream = other, Version = new StreamVersion(1), Id = EventId.Derive(Third, other, 0) };
        Assert.Empty(Check());
    }

    [Fact]
    public async Task an_event_that_says_something_else_than_its_command_is_found()
    {
        await LiveAsync();
        _history.Invoke("c", Third, Stream, "{}");
        _log.Add(Recorded(5, 5, EventId.Derive(Third, Stream, 0), Third));
        Assert.Empty(Check());
        _log[^1] = _log[^1] with { Data = "{ }"u8.ToArray() };
        Assert.Equal(["I1"], Check());
    }

    [Fact]
    public async Task a_command_that_is_refused_when_sent_again_has_not_got_its_first_answer()
    {
        await LiveAsync();
        _history.Invoke("b", First, Stream);
        _history.Refused("b", First, Stream);
        Assert.Equal(["I2", "I3"], Check());
    }

    [Fact]
    public async Task versions_and_positions_with_a_gap_are_found()
    {
        await LiveAsync();
        _history.Invoke("c", Third, Stream);
        _log.Add(Recorded(6, 7, EventId.Derive(Third, Stream, 0), Third));
        Assert.Equal(["I4", "I5"], Check());
    }

    [Fact]
    public async Task a_lower_position_that_appears_behind_one_already_read_is_found()
    {
        await LiveAsync();
        _history.Saw("late", [_log[0], _log[1], _log[3]]);
        Assert.Equal(["I5", "I6", "I7"], Check());
    }

    [Fact]
    public async Task another_event_at_a_position_already_read_is_found()
    {
        await LiveAsync();
        _history.Saw("r2", [_log[0], _log[1], _log[2] with { Id = EventId.Derive(Third, Stream, 0) }]);
        Assert.Equal(["I6"], Check());
    }

    [Fact]
    public async Task a_part_of_what_was_written_at_once_is_found()
    {
        await LiveAsync();
        _history.Saw("r2", [_log[0]]);
        Assert.Equal(["I7"], Check());
    }

    [Fact]
    public async Task a_command_that_began_later_and_has_the_lower_version_is_found()
    {
        await LiveAsync();
        var lines = _history.Lines.OrderByDescending(l => l.Command == Second).Select((l, i) => l with { At = i }).ToList();
        Assert.Equal(["I8"], new HistoryChecker(lines, _history.Pages, _log).Check().Select(v => v.Invariant).Distinct());
    }

    [Fact]
    public async Task an_answer_older_than_what_its_client_knows_is_found_where_the_client_asked_for_it()
    {
        await LiveAsync();
        _history.Read("a", Stream, new LogPosition(2), isSession: false);
        Assert.Empty(Check());
        _history.Read("a", Stream, new LogPosition(2), isSession: true);
        Assert.Equal(["I12"], Check());
    }

    [Fact]
    public async Task a_view_that_is_not_the_fold_and_a_checkpoint_that_goes_back_or_stays_behind_are_found()
    {
        await LiveAsync();
        var checker = new HistoryChecker(_history, _log);
        checker.CheckView("v", new Dictionary<string, string> { ["x"] = "1", ["y"] = "2" }, new Dictionary<string, string> { ["x"] = "1", ["y"] = "3" });
        checker.CheckCheckpoints("v", [new(0), new(4), new(2), new(3)]);
        Assert.Equal(["I9", "I11", "I19"], checker.Check().Select(v => v.Invariant));
    }

    private IEnumerable<string> Check() => new HistoryChecker(_history, _log) { Describe = e => Encoding.UTF8.GetString(e.Data.Span) }.Check().Select(v => v.Invariant).Distinct().Order(StringComparer.Ordinal);

    /// <summary>A command of three events whose reply is lost once, then one of one event.</summary>
    private async Task LiveAsync()
    {
        var plan = new FaultPlan().NextWrite(FaultKind.LostReply);
        var log = new FaultLog(new InMemoryEventLog(new FakeTimeProvider()), plan, TimeProvider.System);
        var request = Request(First, 0, 3);
        _history.Invoke("a", First, Stream);
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => log.AppendAsync([request], CancellationToken.None));
        _history.Unknown("a", First, Stream);
        _history.Invoke("a", First, Stream);
        var first = Assert.IsType<AppendOutcome.Duplicate>(Assert.Single(await log.AppendAsync([request], CancellationToken.None)));
        _history.Ok("a", First, Stream, first.Version, first.Position, 3);
        _history.Invoke("b", Second, Stream);
        var second = Assert.IsType<AppendOutcome.Appended>(Assert.Single(await log.AppendAsync([Request(Second, 3, 1)], CancellationToken.None)));
        _history.Ok("b", Second, Stream, second.Version, second.Position, 1);
        _history.Read("b", Stream, second.Position, isSession: true);
        _log = [.. await HistoryChecker.ReadAllAsync(log, CancellationToken.None)];
        _history.Saw("r", _log.GetRange(0, 3));
        _history.Saw("r", _log.GetRange(3, 1));
    }

    private static AppendRequest Request(CommandId command, int expected, int events) => new(
        Stream,
        ExpectedVersion.Exactly(new StreamVersion(expected)),
        [.. Enumerable.Range(0, events).Select(i => new NewEvent(EventId.Derive(command, Stream, i), "thing-happened", 1, Encoding.UTF8.GetBytes("{}"), new EventMetadata(command).ToJson()))]);

    private RecordedEvent Recorded(int version, int position, EventId id, CommandId command) =>
        _log[^1] with { Version = new StreamVersion(version), Position = new LogPosition(position), Id = id, Metadata = new EventMetadata(command).ToJson(), RecordedAt = _log[^1].RecordedAt.AddSeconds(1) };
}
