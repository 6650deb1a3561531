using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Projections;

public sealed class ProjectionLoopTests : IAsyncDisposable
{
    private static readonly Projection<AccountRow> Accounts = Projection.Of<AccountRow, AccountEvent>();
    private readonly Bank _bank = new();
    private readonly FakeTimeProvider _time = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<ProjectionStatus> _seen = Channel.CreateUnbounded<ProjectionStatus>();
    private readonly ConcurrentQueue<ProjectionStatus> _told = new();
    private readonly LogTail _tail;
    private Task _run = Task.CompletedTask;

    public ProjectionLoopTests() => _tail = new LogTail(_bank.Log, _bank.Codec, new LogTailOptions(), _time);

    [Fact]
    public async Task told_to_end_while_its_table_fails_it_ends_without_an_error()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        using var stop = new CancellationTokenSource();
        var table = new HookedTable<AccountRow>(new InMemoryViewTable<AccountRow>())
        {
            BeforeRows = async () =>
            {
                await stop.CancelAsync();
                throw new LogUnavailableException("the connection broke");
            },
        };
        await new ProjectionLoop<AccountRow>(Projection.Of<AccountRow, AccountEvent>(), Slice.Whole, table, _bank.Tail(), new ProjectionOptions(), TimeProvider.System, NullLogger.Instance).RunAsync(stop.Token);
    }

    [Fact]
    public async Task it_follows_the_log_as_signals_come()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        var table = new InMemoryViewTable<AccountRow>();
        Start(table);
        Assert.Equal(1, (await SeeAsync(s => s.State == ProjectionState.Live)).Position.Value);

        await _bank.AppendAsync("a", new Deposited(5));
        _tail.Signal(new LogPosition(2));
        Assert.Equal(0, (await SeeAsync(s => s.Position.Value == 2)).Behind);
        Assert.Equal(5, table.Rows["a"].Row.Balance);
    }

    [Fact]
    public async Task it_stops_at_an_event_that_its_fold_refuses_and_tries_it_again_when_resumed()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Cursed());
        await _bank.AppendAsync("a", new Deposited(5));
        var loop = Start(new InMemoryViewTable<AccountRow>());
        var stopped = await SeeAsync(s => s.State == ProjectionState.Stopped);
        Assert.Equal((1L, 2L, 3), (stopped.Position.Value, stopped.FaultAt.Value, stopped.Attempts));
        Assert.Contains("account-cursed", stopped.Fault, StringComparison.Ordinal);
        Assert.Equal(2, loop.Status.Behind);

        loop.Resume();
        Assert.Equal(4, (await SeeAsync(s => s.Attempts == 4)).Attempts);
        Assert.Equal(ProjectionState.Stopped, loop.Status.State);
    }

    [Fact]
    public async Task while_it_is_held_it_takes_no_step_and_goes_on_when_it_is_resumed()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        var table = new InMemoryViewTable<AccountRow>();
        var loop = Start(table);
        await SeeAsync(s => s.State == ProjectionState.Live);
        loop.Hold(TimeSpan.FromDays(1));
        await _bank.AppendAsync("a", new Deposited(5));
        var free = new InMemoryViewTable<AccountRow>();
        _tail.Signal(new LogPosition(2));
        var runner = new ProjectionRunner<AccountRow>(Accounts, Slice.Whole, free, _tail);
        while (await runner.StepAsync(CancellationToken.None) is ProjectionStep.Advanced)
        {
            // Another one passes it meanwhile.
        }

        Assert.Equal((5m, 0m), (free.Rows["a"].Row.Balance, table.Rows["a"].Row.Balance));

        loop.Resume();
        await SeeAsync(s => s.Position.Value == 2);
        Assert.Equal(5, table.Rows["a"].Row.Balance);
    }

    [Fact]
    public async Task an_event_that_is_skipped_is_passed_over_and_the_comparison_with_the_fold_knows_it()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Cursed());
        await _bank.AppendAsync("a", new Deposited(5));
        var table = new InMemoryViewTable<AccountRow>();
        var loop = Start(table);
        await SeeAsync(s => s.State == ProjectionState.Stopped);
        var skipped = new SkippedEvent(new LogPosition(2), "cursed", "ops", _time.GetUtcNow());
        Assert.True(await table.SkipAsync(skipped, CancellationToken.None));
        Assert.False(await table.SkipAsync(skipped, CancellationToken.None));
        loop.Resume();

        Assert.Equal((3L, null), ((await SeeAsync(s => s.State == ProjectionState.Live)).Position.Value, loop.Status.Fault));
        Assert.Equal(5, table.Rows["a"].Row.Balance);
        Assert.True((await ViewComparison.RunAsync(Accounts, 1, [skipped], PoisonPolicy.Stop, table, _tail, _time, CancellationToken.None)).IsEqual);
        await Assert.ThrowsAsync<ViewFoldException>(() => ViewComparison.RunAsync(Accounts, 1, [], PoisonPolicy.Stop, table, _tail, _time, CancellationToken.None));
    }

    [Fact]
    public async Task an_event_of_an_unknown_type_can_be_skipped_too()
    {
        var (stream, command) = (new StreamId("account", "a"), CommandId.New(TimeProvider.System));
        await _bank.Log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [new NewEvent(EventId.Derive(command, stream, 0), "account-split", 1, "{}"u8.ToArray(), new EventMetadata(command).ToJson())])], CancellationToken.None);
        var table = new InMemoryViewTable<AccountRow>();
        Start(table);
        await SeeAsync(s => s.State == ProjectionState.WaitingForNewerProgram);
        await table.SkipAsync(new SkippedEvent(new LogPosition(1), "written by a program that was taken back", null, _time.GetUtcNow()), CancellationToken.None);
        Assert.Equal(1, (await SeeAsync(s => s.State == ProjectionState.Live)).Position.Value);
    }

    [Fact]
    public async Task an_event_of_a_newer_program_is_waited_for_and_never_stops_it()
    {
        var (stream, command) = (new StreamId("account", "a"), CommandId.New(TimeProvider.System));
        await _bank.Log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [new NewEvent(EventId.Derive(command, stream, 0), "account-split", 1, "{}"u8.ToArray(), new EventMetadata(command).ToJson())])], CancellationToken.None);
        Start(new InMemoryViewTable<AccountRow>());
        var waiting = await SeeAsync(s => s.Attempts == 5);
        Assert.Equal((ProjectionState.WaitingForNewerProgram, 1L), (waiting.State, waiting.FaultAt.Value));
    }

    [Fact]
    public async Task while_the_table_does_not_answer_it_tries_again_and_then_loses_nothing()
    {
        await _bank.LiveAsync(seed: 7, commits: 50);
        var table = new UnavailableTable(new InMemoryViewTable<AccountRow>());
        Start(table);
        Assert.Equal("not now", (await SeeAsync(s => s is { State: ProjectionState.Retrying, Attempts: 4 })).Fault);
        table.Answers = true;
        var live = await SeeAsync(s => s.State == ProjectionState.Live);
        Assert.Equal((null, 0), (live.Fault, live.Attempts));
        Assert.Equal(_bank.Accounts, table.Inner.Rows.ToDictionary(r => r.Key, r => r.Value.Row, StringComparer.Ordinal));
    }

    [Fact]
    public async Task what_the_table_did_not_answer_is_no_try_at_the_event()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Cursed());
        var calls = 0;
        var table = new HookedTable<AccountRow>(new InMemoryViewTable<AccountRow>()) { BeforeRows = () => ++calls is > 2 and < 8 ? throw new LogUnavailableException("not now") : Task.CompletedTask };
        Start(table);
        await SeeAsync(s => s.State == ProjectionState.Stopped);
        var seen = new List<ProjectionStatus>();
        while (_told.TryDequeue(out var status))
        {
            seen.Add(status);
        }

        Assert.Equal(new ProjectionOptions().Attempts, seen.Count(s => s.FaultAt.Value == 2));
    }

    [Fact]
    public async Task a_resume_that_comes_while_a_step_fails_is_not_lost()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        ProjectionLoop? loop = null;
        var tries = 0;
        var second = new TaskCompletionSource();
        var table = new HookedTable<AccountRow>(new InMemoryViewTable<AccountRow>())
        {
            BeforeRows = () =>
            {
                if (++tries == 1)
                {
                    loop!.Resume();
                    throw new LogUnavailableException("not now");
                }

                second.TrySetResult();
                return Task.CompletedTask;
            },
        };
        loop = new ProjectionLoop<AccountRow>(Accounts, Slice.Whole, table, _tail, new ProjectionOptions(), _time, NullLogger.Instance);
        _run = loop.RunAsync(_stop.Token);

        // The clock stands still: nothing but the resume can bring the second try.
        await second.Task.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, CancellationToken.None);
        Assert.Equal(2, tries);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _stop.Dispose();
    }

    private ProjectionLoop Start(IViewTable<AccountRow> table)
    {
        var loop = new ProjectionLoop<AccountRow>(Accounts, Slice.Whole, table, _tail, new ProjectionOptions(), _time, NullLogger.Instance, s =>
        {
            _told.Enqueue(s);
            _seen.Writer.TryWrite(s);
        });
        _run = loop.RunAsync(_stop.Token);
        return loop;
    }

    /// <summary>The first status that is like that; the clock runs meanwhile.</summary>
    private async Task<ProjectionStatus> SeeAsync(Func<ProjectionStatus, bool> wanted)
    {
        var deadline = TimeProvider.System.GetTimestamp() + (20 * TimeProvider.System.TimestampFrequency);
        ProjectionStatus? last = null;
        while (true)
        {
            while (_seen.Reader.TryRead(out var status))
            {
                last = status;
                if (wanted(status))
                {
                    return status;
                }
            }

            Assert.True(TimeProvider.System.GetTimestamp() < deadline, $"Not seen in time; last was {last}.");
            _time.Advance(TimeSpan.FromMilliseconds(20));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }
    }

    private sealed class UnavailableTable(InMemoryViewTable<AccountRow> inner) : HookedTable<AccountRow>(inner)
    {
        public InMemoryViewTable<AccountRow> Inner { get; } = inner;

        public bool Answers { get; set; }

        public override Task<OpenedSlice?> OpenAsync(Slice slice, CancellationToken cancellationToken) => Answers ? base.OpenAsync(slice, cancellationToken) : throw new LogUnavailableException("not now");
    }
}
