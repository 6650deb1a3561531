using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Testing.Faults;
using Orleans.EventSourced.UnitTests.Projections;

namespace Orleans.EventSourced.UnitTests.Simulation;

/// <summary>What a client gets from a silo.</summary>
internal sealed record Answer(HistoryKind Kind, StreamVersion Version = default, LogPosition Position = default, int Events = 0, string? Note = null);

/// <summary>A silo: the real group commit, tail and projection loops, and grains that go on as <c>EventSourcedGrain</c> does. What it has in memory goes with it when it crashes.</summary>
internal sealed class SimulatedSilo(SimulatedWorld world, bool runsViews)
{
    private Life? _life;

    public bool IsUp => _life is not null;

    public void Start()
    {
        _life = new Life(world);
        if (runsViews)
        {
            _life.RunView<AccountRow>(Projection.Of<AccountRow, AccountEvent>());
            _life.RunView<BranchRow>(Projection.Of<BranchRow, AccountEvent, BranchRow.Route>());
        }
    }

    public void Crash()
    {
        _life?.End();
        _life = null;
    }

    public void Freeze() => _life?.Gate.Freeze();

    public void Wake() => _life?.Gate.Wake();

    public void Signal(LogPosition position) => _life?.Tail.Signal(position);

    /// <summary>A call from outside: it may be lost on its way back, take too long, or find nobody.</summary>
    public async Task<Answer> CallAsync(AccountCommand command)
    {
        if (_life is not { } life)
        {
            return new Answer(HistoryKind.Fail, Note: "nobody answers there");
        }

        await world.Thread.YieldAsync();
        var call = life.Grain(command.Stream).ExecuteAsync(command);
        await Task.WhenAny(call, life.EndAsync(), Task.Delay(TimeSpan.FromSeconds(2), world.Time));
        return call.IsCompleted && !world.LosesAnswer() ? await call : new Answer(HistoryKind.Unknown, Note: "no answer");
    }

    /// <summary>From a start to the next crash.</summary>
    private sealed class Life
    {
        private readonly SimulatedWorld _world;
        private readonly List<TaskCompletionSource> _callers = [];
        private readonly IEventLog _log;
        private readonly IViewStore _views;
        private readonly GroupCommit _group;
        private readonly Dictionary<StreamId, SimulatedGrain> _grains = [];

        public Life(SimulatedWorld world)
        {
            _world = world;
            Gate = new SimulatedGate(world.Thread);
            (_log, _views) = (world.LogThrough(Gate), world.ViewsThrough(Gate));
            Tail = new LogTail(_log, SimulatedWorld.Codec, world.TailOptions, world.Time, world.Thread);
            _group = new GroupCommit(_log, world.GroupOptions, world.Time, NullLogger<GroupCommit>.Instance, world.Committed, world.Thread, world.Thread.Random);
        }

        public SimulatedGate Gate { get; }

        public LogTail Tail { get; }

        /// <summary>Completes when it ends, for one caller.</summary>
        public Task EndAsync()
        {
            var end = new TaskCompletionSource();
            _callers.Add(end);
            return end.Task;
        }

        public void RunView<TRow>(Projection<TRow> projection)
            where TRow : class =>
            _ = new ProjectionLoop<TRow>(projection, Slice.Whole, _views.Table<TRow>(), Tail, _world.ViewOptions, _world.Time, new Listener(_world)).RunAsync(CancellationToken.None);

        public SimulatedGrain Grain(StreamId stream) => _grains.TryGetValue(stream, out var grain) ? grain : _grains[stream] = new SimulatedGrain(stream, _log, _group, _world);

        public void End()
        {
            Gate.Die();
            foreach (var caller in _callers)
            {
                _world.Thread.Post(caller.SetResult);
            }
        }
    }

    /// <summary>What a loop meets that no healthy store gives.</summary>
    private sealed class Listener(SimulatedWorld world) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            world.Thread.Check();
            if (exception is not (null or LogUnavailableException))
            {
                world.Met(exception);
            }
        }
    }
}
