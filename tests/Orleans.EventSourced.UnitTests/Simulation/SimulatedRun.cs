using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Testing.Faults;
using Orleans.EventSourced.UnitTests.Projections;

namespace Orleans.EventSourced.UnitTests.Simulation;

/// <summary>How a seed came out.</summary>
internal sealed record SimulationResult(int Seed, ulong Trace, IReadOnlyList<Violation> Violations, int Events, long Steps, TimeSpan Virtual, ClientHistory History, IReadOnlyList<RecordedEvent> Log);

/// <summary>One seed from start to check: clients that send, send again and read, readers of the log, the storm, and then calm.</summary>
internal sealed class SimulatedRun
{
    private static readonly TimeSpan LongestStorm = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestHealing = TimeSpan.FromSeconds(30);
    private readonly int _seed;
    private readonly SimulatedWorld _world;
    private readonly StreamId[] _streams;
    private readonly List<(string Key, AccountRow? Row, LogPosition Reflects)> _rowsRead = [];
    private readonly List<LogPosition>[] _checkpoints = [[], []];
    private readonly Dictionary<(string Client, string Key), LogPosition> _lastRead = [];
    private readonly LogPosition[] _readers = new LogPosition[2];

    private SimulatedRun(int seed, SeededBug bug)
    {
        (_seed, _world) = (seed, new SimulatedWorld(seed, bug));
        _streams = [.. Enumerable.Range(0, _world.Thread.Random.Next(1, 5)).Select(i => new StreamId("account", $"a{i}"))];
    }

    private SimulatedThread Thread => _world.Thread;

    private ClientHistory History => _world.History;

    /// <summary>Runs a seed on a thread of its own.</summary>
    public static SimulationResult Run(int seed, SeededBug bug = SeededBug.None)
    {
        SimulationResult? result = null;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = RunHere(seed, bug);
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return result ?? throw new InvalidOperationException($"The simulation of seed {seed} failed.", failure);
    }

    /// <summary>Runs a seed on this thread, which has no synchronization context.</summary>
    public static SimulationResult RunHere(int seed, SeededBug bug = SeededBug.None) => new SimulatedRun(seed, bug).Run();

    private SimulationResult Run()
    {
        foreach (var silo in _world.Silos)
        {
            silo.Start();
        }

        var work = new List<Task>(Enumerable.Range(0, Thread.Random.Next(2, 6)).Select(ClientAsync)) { _world.StormAsync() };
        work.AddRange(PageReaderAsync(), TailReaderAsync());
        var busy = Task.WhenAll(work.SkipLast(2));
        var isOver = Thread.Run(() => busy.IsCompleted, LongestStorm, Observe);
        var healed = _world.HealAsync();
        isOver &= Thread.Run(() => healed.IsCompleted, LongestHealing, Observe);
        var head = Now(_world.Log.ReadHeadAsync(CancellationToken.None)).Position;
        isOver &= Thread.Run(() => IsAtRest(head), LongestHealing, Observe);
        Observe();
        return Result(isOver, work);
    }

    private SimulationResult Result(bool isOver, List<Task> work)
    {
        var log = Now(HistoryChecker.ReadAllAsync(_world.Log, CancellationToken.None));
        var checker = new HistoryChecker(History, log) { Describe = SimulatedWorld.Describe };
        foreach (var found in _world.Unforeseen.Distinct())
        {
            checker.Found(found.Invariant, found.Message);
        }

        foreach (var failed in work.Where(w => w.IsFaulted))
        {
            checker.Found("I19", $"a client, a reader or the storm itself ended with {failed.Exception!.GetBaseException()}");
        }

        if (!isOver)
        {
            checker.Found("I19", "clients, views or readers did not come to rest.");
        }

        checker.Check();
        CheckViews(checker, log);
        foreach (var line in History.Lines)
        {
            Thread.Trace.Add(line.ToString());
        }

        foreach (var e in log)
        {
            Thread.Trace.Add(e.RecordedAt.Ticks);
        }

        return new SimulationResult(_seed, Thread.Trace.Value, checker.Violations, log.Count, Thread.Steps, TimeSpan.FromTicks(_world.Time.Now), History, log);
    }

    private void CheckViews(HistoryChecker checker, IReadOnlyList<RecordedEvent> log)
    {
        var accounts = Accounts(log);
        checker.CheckView("account", accounts, Rows<AccountRow>());
        var branches = log.Select(e => SimulatedWorld.BranchOf(e.Stream)).Distinct().ToDictionary(
            b => b, b => new BranchRow(accounts.Values.Count(a => a.Branch == b), accounts.Values.Where(a => a.Branch == b).Sum(a => a.Balance)), StringComparer.Ordinal);
        checker.CheckView("branch", branches, Rows<BranchRow>());
        checker.CheckCheckpoints("account", _checkpoints[0]);
        checker.CheckCheckpoints("branch", _checkpoints[1]);
        foreach (var (key, row, reflects) in _rowsRead)
        {
            var then = Accounts(log.Where(e => e.Position <= reflects && e.Stream.Key == key)).GetValueOrDefault(key);
            if (!Equals(then, row))
            {
                checker.Found("I12", $"a client read row '{key}' as of position {reflects} as {row?.ToString() ?? "none"}; the log gives {then?.ToString() ?? "none"}.");
            }
        }
    }

    /// <summary>A fold of the log that knows nothing of projections.</summary>
    private static Dictionary<string, AccountRow> Accounts(IEnumerable<RecordedEvent> log)
    {
        var accounts = new Dictionary<string, AccountRow>(StringComparer.Ordinal);
        foreach (var e in log)
        {
            switch (SimulatedWorld.Codec.Decode(e))
            {
                case Opened opened:
                    accounts[e.Stream.Key] = new AccountRow(opened.Branch, 0, 0);
                    break;
                case Deposited deposited when accounts.TryGetValue(e.Stream.Key, out var row):
                    accounts[e.Stream.Key] = row with { Balance = row.Balance + deposited.Amount, Deposits = row.Deposits + 1 };
                    break;
                default:
                    accounts.Remove(e.Stream.Key);
                    break;
            }
        }

        return accounts;
    }

    private Dictionary<string, TRow> Rows<TRow>()
        where TRow : class => ((InMemoryViewTable<TRow>)_world.Store.Table<TRow>()).Rows.ToDictionary(r => r.Key, r => r.Value.Row, StringComparer.Ordinal);

    private bool IsAtRest(LogPosition head) => _readers.All(r => r == head) && _checkpoints.All(c => c.Count > 0 && c[^1] == head);

    private void Observe()
    {
        foreach (var checkpoint in Now(_world.Store.ReadCheckpointsAsync(CancellationToken.None)))
        {
            var seen = _checkpoints[checkpoint.View.Name == "account" ? 0 : 1];
            if (seen.Count == 0 || seen[^1] != checkpoint.Position)
            {
                seen.Add(checkpoint.Position);
            }
        }
    }

    /// <summary>The answer of what answers at once.</summary>
    private static T Now<T>(Task<T> answer) => answer.IsCompleted ? answer.GetAwaiter().GetResult() : throw new InvalidOperationException("The store was to answer at once.");

    private async Task ClientAsync(int number)
    {
        var name = $"client {number}";
        var sent = new List<AccountCommand>();
        var knows = LogPosition.Start;
        for (var i = Thread.Random.Next(3, 9); i > 0; i--)
        {
            await Thread.RestAsync(250);
            var command = sent.Count > 0 && Thread.Dice(0.15) ? sent[Thread.Random.Next(sent.Count)] : NewCommand($"{name} command {i}");
            sent.Add(command);
            if (await SendAsync(name, command) is not { } position)
            {
                continue;
            }

            knows = position > knows ? position : knows;
            if (Thread.Dice(0.5))
            {
                knows = await ReadMineAsync(name, command.Stream, knows);
            }
        }
    }

    private AccountCommand NewCommand(string name)
    {
        var stream = _streams[Thread.Random.Next(_streams.Length)];
        return new AccountCommand(CommandId.FromText(name), stream, Thread.Dice(0.04) ? [] : [.. Enumerable.Range(0, Thread.Random.Next(1, 4)).Select(_ => Thread.Random.Next(1, 100))]);
    }

    /// <summary>Sends until there is an answer, or patience ends.</summary>
    private async Task<LogPosition?> SendAsync(string client, AccountCommand command)
    {
        for (var tries = 0; tries < 12; tries++)
        {
            // Mostly where the entity lives; sometimes elsewhere, where it has a twin then.
            var silo = _world.Silos[Thread.Dice(0.7) ? command.Stream.Key[^1] % _world.Silos.Count : Thread.Random.Next(_world.Silos.Count)];
            History.Invoke(client, command.Id, command.Stream, command.Content);
            var answer = await silo.CallAsync(command);
            switch (answer.Kind)
            {
                case HistoryKind.Ok:
                    History.Ok(client, command.Id, command.Stream, answer.Version, answer.Position, answer.Events);
                    return answer.Position;
                case HistoryKind.Refused:
                    History.Refused(client, command.Id, command.Stream, answer.Note);
                    return null;
                case HistoryKind.Fail:
                    History.Fail(client, command.Id, command.Stream, answer.Note);
                    break;
                default:
                    History.Unknown(client, command.Id, command.Stream, answer.Note);
                    break;
            }

            if (Thread.Dice(0.15))
            {
                return null;
            }

            await Thread.RestAsync(300);
        }

        return null;
    }

    /// <summary>Reads the row until it reflects what the client wrote, or patience ends.</summary>
    private async Task<LogPosition> ReadMineAsync(string client, StreamId stream, LogPosition position)
    {
        var reader = _world.Views.Reader<AccountRow>();
        for (var tries = 0; tries < 20; tries++)
        {
            try
            {
                var reading = await reader.ReadAsync(stream.Key, Slice.Whole, CancellationToken.None);
                _rowsRead.Add((stream.Key, reading.Row?.Row, reading.Reflects));
                History.Read(client, stream, reading.Reflects, isSession: false);
                CheckIsNoOlder(client, stream.Key, reading.Reflects);
                if (reading.Reflects >= position)
                {
                    return reading.Reflects;
                }
            }
            catch (LogUnavailableException)
            {
                // Asked for again.
            }

            await Thread.RestAsync(100);
        }

        return position;
    }

    /// <summary>A client that does one thing after the other is never given an older row than before.</summary>
    private void CheckIsNoOlder(string client, string key, LogPosition reflects)
    {
        var before = _lastRead.GetValueOrDefault((client, key));
        if (reflects < before)
        {
            _world.Unforeseen.Add(new Violation("I12", $"{client} read row '{key}' as of position {reflects}, and as of {before} before."));
        }

        _lastRead[(client, key)] = reflects;
    }

    /// <summary>Reads the log in small pages, as a consumer from outside does.</summary>
    private async Task PageReaderAsync()
    {
        while (true)
        {
            try
            {
                var page = await _world.Log.ReadLogAsync(_readers[0], Thread.Random.Next(1, 4), CancellationToken.None);
                if (page.Count > 0)
                {
                    History.Saw("pages", page);
                    _readers[0] = page[^1].Position;
                    continue;
                }
            }
            catch (LogUnavailableException)
            {
                // Asked for again.
            }

            await Thread.RestAsync(60);
        }
    }

    /// <summary>Reads the log by a tail of its own, which hears of no commit.</summary>
    private async Task TailReaderAsync()
    {
        var tail = new LogTail(_world.Log, SimulatedWorld.Codec, _world.TailOptions, _world.Time, Thread);
        while (true)
        {
            try
            {
                await tail.WaitAsync(_readers[1], CancellationToken.None);
                var page = await tail.ReadAsync(_readers[1], CancellationToken.None);
                if (page.Events.Count > 0)
                {
                    History.Saw("tail", page.Events);
                    _readers[1] = page.Last;
                }
            }
            catch (LogException e)
            {
                if (e is not LogUnavailableException)
                {
                    _world.Met(e);
                }

                await Thread.RestAsync(100);
            }
        }
    }
}
