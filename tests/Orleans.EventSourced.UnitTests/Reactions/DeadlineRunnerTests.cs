using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Reactions;

public sealed class DeadlineRunnerTests
{
    private static readonly DateTimeOffset Day = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly Bank _bank = new();
    private readonly InMemoryViewTable<DueAccount> _table = new();
    private readonly FakeTimeProvider _business = new(Day);
    private readonly FakeTimeProvider _time = new();
    private readonly DeadlineOptions _options;
    private readonly ConcurrentQueue<DueRow<DueAccount>> _handled = new();
    private readonly LogTail _tail;
    private LogPosition _checkpoint;

    public DeadlineRunnerTests()
    {
        _options = new DeadlineOptions { Clock = _business, PageRows = 3 };
        _tail = _bank.Tail();
    }

    [Fact]
    public async Task rows_are_handled_when_they_are_due_earliest_first_and_not_before()
    {
        _options.Concurrency = 1;
        for (var i = 0; i < 10; i++)
        {
            await OpenAsync($"a{i}", Day.AddDays(10 - i));
        }

        var runner = Runner();
        Assert.Equal(0, (await runner.TickAsync(CancellationToken.None)).Handled);
        _business.SetUtcNow(Day.AddDays(1) - TimeSpan.FromMicroseconds(1));
        Assert.Equal(0, (await runner.TickAsync(CancellationToken.None)).Handled);
        _business.SetUtcNow(Day.AddDays(1));
        Assert.Equal(1, (await runner.TickAsync(CancellationToken.None)).Handled);
        _business.SetUtcNow(Day.AddDays(100));
        Assert.Equal(9, (await runner.TickAsync(CancellationToken.None)).Handled);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"a{9 - i}"), _handled.Select(r => r.Key));
    }

    [Fact]
    public async Task a_row_that_stays_rests_longer_each_time_until_it_changes()
    {
        await OpenAsync("a", Day);
        await OpenAsync("b", Day);
        var runner = Runner();
        Assert.Equal((2, 2), await TickAsync(runner));
        Assert.Equal((0, 2), await TickAsync(runner));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal((2, 2), await TickAsync(runner));
        _time.Advance(TimeSpan.FromMinutes(1.9));
        Assert.Equal((0, 2), await TickAsync(runner));
        await TouchAsync("a", Day);
        Assert.Equal((1, 2), await TickAsync(runner));
        _time.Advance(TimeSpan.FromMinutes(0.2));
        Assert.Equal((1, 2), await TickAsync(runner));
        runner.Wake();
        Assert.Equal((2, 2), await TickAsync(runner));
        await CloseAsync("a");
        Assert.Equal((0, 1), await TickAsync(runner));
        Assert.Equal(3, _handled.Where(r => r.Key == "a").Select(r => new DeadlineName("d").CommandOf(r.Key, r.DueAt, 0)).Count() - 1);
        Assert.Single(_handled.Where(r => r.Key == "a").Select(r => new DeadlineName("d").CommandOf(r.Key, r.DueAt, 0)).Distinct());
    }

    [Fact]
    public async Task rows_that_rest_do_not_keep_others_from_their_turn()
    {
        for (var i = 0; i < 20; i++)
        {
            await OpenAsync($"refused{i:00}", Day);
        }

        var runner = Runner();
        Assert.Equal((20, 20), await TickAsync(runner));
        await OpenAsync("later", Day.AddDays(1));
        _business.Advance(TimeSpan.FromDays(1));
        Assert.Equal((1, 21), await TickAsync(runner));
        Assert.Equal("later", _handled.Last().Key);
    }

    [Fact]
    public async Task as_many_rows_as_may_rest_are_tried_again_after_their_rest_and_others_wait_until_one_changes_which_is_told()
    {
        _options.PageRows = 1_000;
        await _bank.AppendAsync("z", new Opened("x"));
        await CommitAsync([.. Enumerable.Range(0, DeadlineOptions.MaxResting).Select(i => ($"{i:00000}", (DueAccount?)new DueAccount(Day, Day)))], events: 1);
        var runner = Runner();
        Assert.Equal((DeadlineOptions.MaxResting, DeadlineOptions.MaxResting), await TickAsync(runner));
        Assert.Equal((0, DeadlineOptions.MaxResting), await TickAsync(runner));

        // One before and one behind those that rest.
        await OpenAsync("!", Day);
        await OpenAsync("later", Day);
        var full = await runner.TickAsync(CancellationToken.None);
        Assert.Equal((0, DeadlineOptions.MaxResting), (full.Handled, full.Resting));
        Assert.Contains("10000 rows rest", full.Fault, StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal((DeadlineOptions.MaxResting, DeadlineOptions.MaxResting), await TickAsync(runner));
        runner.Wake();
        Assert.Equal((DeadlineOptions.MaxResting, DeadlineOptions.MaxResting), await TickAsync(runner));
        Assert.DoesNotContain(_handled, r => r.Key is "!" or "later");

        await CloseAsync("00007");
        await CloseAsync("09007");
        while ((await runner.TickAsync(CancellationToken.None)).Fault is not null)
        {
            // The places are found to be free.
        }

        Assert.Equal(["!", "later"], _handled.Where(r => r.Key is "!" or "later").Select(r => r.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task another_time_is_another_deadline()
    {
        var name = new DeadlineName("d");
        Assert.NotEqual(name.CommandOf("a", Day, 0), name.CommandOf("a", Day.AddTicks(10), 0));
        Assert.NotEqual(name.CommandOf("a", Day, 0), name.CommandOf("a", Day, 1));
        Assert.NotEqual(name.CommandOf("a", Day, 0), name.CommandOf("b", Day, 0));
        Assert.NotEqual(name.CommandOf("a", Day, 0), new DeadlineName("e").CommandOf("a", Day, 0));
        Assert.Equal(name.CommandOf("a", Day, 0), name.CommandOf("a", Day.ToOffset(TimeSpan.FromHours(2)), 0));
        Assert.NotEqual(default, name.CommandOf("a", DateTimeOffset.MinValue, 0));

        await OpenAsync("a", Day);
        var runner = Runner();
        Assert.Equal((1, 1), await TickAsync(runner));
        await TouchAsync("a", Day.AddDays(1));
        Assert.Equal((0, 0), await TickAsync(runner));
        _business.Advance(TimeSpan.FromDays(1));
        Assert.Equal((1, 1), await TickAsync(runner));
    }

    [Fact]
    public async Task nothing_is_handled_while_the_rows_do_not_reflect_the_log()
    {
        await OpenAsync("a", Day);
        await _bank.AppendAsync("a", new Closed());
        var runner = Runner();
        var tick = runner.TickAsync(CancellationToken.None);
        for (var i = 0; i < 1_000 && !tick.IsCompleted; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }

        await Assert.ThrowsAsync<LogUnavailableException>(() => tick);
        Assert.Empty(_handled);
        await CommitAsync("a", null, events: 1);
        Assert.Equal((0, 0), await TickAsync(runner));
    }

    [Fact]
    public async Task a_handler_that_throws_lets_its_row_rest_and_says_why_and_an_outage_ends_the_look()
    {
        await OpenAsync("a", Day);
        await OpenAsync("b", Day);
        var runner = Runner(row => row.Key == "a" ? throw new InvalidOperationException("cursed") : Task.CompletedTask);
        var tick = await runner.TickAsync(CancellationToken.None);
        Assert.Equal((2, 2, "cursed", "a"), (tick.Handled, tick.Resting, tick.Fault, tick.FaultKey));

        var away = Runner(_ => throw new LogOverloadedException("full"));
        await Assert.ThrowsAsync<LogUnavailableException>(() => away.TickAsync(CancellationToken.None));
        await Assert.ThrowsAsync<LogUnavailableException>(() => away.TickAsync(CancellationToken.None));
    }

    [Fact]
    public void a_deadline_needs_an_indexed_time()
    {
        Assert.Throws<ArgumentException>(() => new Deadline<DueAccount>(new DeadlineName("d"), r => r.OpenedAt, (_, _) => Task.CompletedTask));
        Assert.Throws<ArgumentException>(() => new Deadline<DueAccount>(new DeadlineName("d"), r => r.DueAt.AddDays(1), (_, _) => Task.CompletedTask));
        Assert.Equal("due_at", new Deadline<DueAccount>(new DeadlineName("d"), r => r.DueAt, (_, _) => Task.CompletedTask).DueColumn);
    }

    private static async Task<(int Handled, int Resting)> TickAsync(DeadlineRunner<DueAccount> runner)
    {
        var tick = await runner.TickAsync(CancellationToken.None);
        return (tick.Handled, tick.Resting);
    }

    private DeadlineRunner<DueAccount> Runner(Func<DueRow<DueAccount>, Task>? handle = null) => new(
        new Deadline<DueAccount>(new DeadlineName("d"), r => r.DueAt, (row, _) =>
        {
            _handled.Enqueue(row);
            return handle?.Invoke(row) ?? Task.CompletedTask;
        }),
        _table,
        _tail,
        _options,
        _time);

    private async Task OpenAsync(string key, DateTimeOffset dueAt)
    {
        await _bank.AppendAsync(key, new Opened("x"));
        await CommitAsync(key, new DueAccount(dueAt, Day), events: 1);
    }

    private async Task TouchAsync(string key, DateTimeOffset dueAt)
    {
        await _bank.AppendAsync(key, new Deposited(1));
        await CommitAsync(key, new DueAccount(dueAt, Day), events: 1);
    }

    private async Task CloseAsync(string key)
    {
        await _bank.AppendAsync(key, new Closed());
        await CommitAsync(key, null, events: 1);
    }

    private Task CommitAsync(string key, DueAccount? row, int events) => CommitAsync([(key, row)], events);

    private async Task CommitAsync((string Key, DueAccount? Row)[] rows, int events)
    {
        var opened = (await _table.OpenAsync(Slice.Whole, CancellationToken.None))!;
        _checkpoint = opened.Position + events;
        Assert.True(await _table.CommitAsync(new ViewCommit<DueAccount>(Slice.Whole, opened.Edition, opened.Position, _checkpoint, [.. rows.Select(r => new RowChange<DueAccount>(r.Key, r.Row, _checkpoint))], []), CancellationToken.None));
    }
}

[View("due_account")]
internal sealed record DueAccount([property: Indexed] DateTimeOffset DueAt, DateTimeOffset OpenedAt);
