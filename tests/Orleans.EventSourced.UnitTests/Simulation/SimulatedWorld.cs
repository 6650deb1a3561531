using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Testing.Faults;
using Orleans.EventSourced.UnitTests.Projections;

namespace Orleans.EventSourced.UnitTests.Simulation;

/// <summary>Everything of one seed: the store with its faults, the silos over it, and what they are told.</summary>
internal sealed class SimulatedWorld
{
    private static readonly FaultPlan NoFaults = new();
    private readonly FaultPlan _logPlan;
    private readonly FaultPlan _viewPlan;
    private readonly CrashableLog _disk;
    private readonly FaultLog _faults;
    private readonly FaultViews _faultyViews;
    private bool _isCalm;

    public SimulatedWorld(int seed, SeededBug bug)
    {
        Thread = new SimulatedThread(seed);
        var roughness = Thread.Random.NextDouble();
        TimeSpan Ms(double from, double to) => TimeSpan.FromMilliseconds(from + (Thread.Random.NextDouble() * (to - from)));
        FaultRates Rates() => new()
        {
            Unavailable = 0.06 * roughness,
            LostReply = 0.1 * roughness,
            LostRequest = 0.04 * roughness,
            LateRequest = 0.08 * roughness,
            Race = 0.06 * roughness,
            FailedRead = 0.05 * roughness,
            MaxDelay = Ms(2, 80),
            MaxLateness = Ms(10, 3_000),
        };
        (_logPlan, _viewPlan) = (new FaultPlan(Thread.Random.Next(), Rates()), new FaultPlan(Thread.Random.Next(), Rates()));
        _disk = new CrashableLog(Time, bug == SeededBug.AckBeforeDurable ? TimeSpan.FromMilliseconds(200) : TimeSpan.Zero);
        _faults = new FaultLog(_disk, _logPlan, Time);
        Log = SeededBugs.In(_faults, bug == SeededBug.AckBeforeDurable ? SeededBug.None : bug);
        Store = new InMemoryViewStore(Time);
        _faultyViews = new FaultViews(Store, _viewPlan, Time);
        Views = SeededBugs.In(_faultyViews, bug);
        GroupOptions = new GroupCommitOptions
        {
            MaxBatchesInFlight = Thread.Random.Next(1, 5),
            MaxBatchEvents = Thread.Random.Next(2, 30),
            MaxRetries = Thread.Random.Next(0, 4),
            RetryDelay = Ms(1, 50),
            ResolveUnknownFor = Ms(100, 3_000),
        };
        TailOptions = new LogTailOptions { PageEvents = Thread.Random.Next(2, 12), PollInterval = Ms(50, 500) };
        ViewOptions = new ProjectionOptions { StepInterval = Ms(0, 60) };
        Silos = [new SimulatedSilo(this, runsViews: true), new SimulatedSilo(this, runsViews: Thread.Dice(0.5)), new SimulatedSilo(this, runsViews: false)];
    }

    public static JsonEventCodec Codec { get; } = new(new EventTypeMap.Builder().AddFamily<AccountEvent>(JsonSerializerOptions.Web).Build());

    public SimulatedThread Thread { get; }

    public SimulatedTime Time => Thread.Time;

    public IEventLog Log { get; }

    public IViewStore Views { get; }

    public InMemoryViewStore Store { get; }

    public GroupCommitOptions GroupOptions { get; }

    public LogTailOptions TailOptions { get; }

    public ProjectionOptions ViewOptions { get; }

    public IReadOnlyList<SimulatedSilo> Silos { get; }

    public ClientHistory History { get; } = new();

    public List<Violation> Unforeseen { get; } = [];

    /// <summary>What an event holds of its command, in the words of <see cref="AccountCommand.Content"/>.</summary>
    public static string? Describe(RecordedEvent e) => Codec.Decode(e) switch
    {
        Deposited deposited => $"{deposited.Amount}",
        Closed => "closed",
        _ => null,
    };

    public static string BranchOf(StreamId stream) => $"branch {stream.Key.Length % 2}{stream.Key[^1] % 2}";

    /// <summary>The log, as one silo reaches it.</summary>
    public IEventLog LogThrough(SimulatedGate gate) => new FaultLog(Log, NoFaults, Time, gate.PassAsync);

    /// <summary>The views, as one silo reaches them.</summary>
    public IViewStore ViewsThrough(SimulatedGate gate) => new FaultViews(Views, NoFaults, Time, gate.PassAsync);

    public bool LosesAnswer() => !_isCalm && Thread.Dice(0.04);

    /// <summary>Told by group commit, on its way to all silos; some of it is lost.</summary>
    public void Committed(LogPosition position)
    {
        foreach (var silo in Silos.Where(_ => Thread.Dice(0.7)))
        {
            Thread.Post(() => silo.Signal(position));
        }
    }

    /// <summary>Something that no fault of the plan explains.</summary>
    public void Met(Exception e) => Unforeseen.Add(new Violation(e is LogCorruptException ? "I5" : e is LogMisconfiguredException ? "I6" : "I19", $"{e.GetType().Name}: {e.Message}"));

    /// <summary>What befalls silos and store, one thing after the other.</summary>
    public async Task StormAsync()
    {
        for (var i = Thread.Random.Next(2, 9); i > 0; i--)
        {
            await Thread.RestAsync(600);
            var silo = Silos[Thread.Random.Next(Silos.Count)];
            switch (Thread.Random.Next(4))
            {
                case 0:
                    silo.Freeze();
                    await Thread.RestAsync(2_500);
                    silo.Wake();
                    break;
                case 1:
                    _logPlan.IsAway = true;
                    _viewPlan.IsAway = Thread.Dice(0.5);
                    await Thread.RestAsync(50);
                    _disk.Crash();
                    await Thread.RestAsync(800);
                    (_logPlan.IsAway, _viewPlan.IsAway) = (false, false);
                    break;
                default:
                    silo.Crash();
                    await Thread.RestAsync(500);
                    silo.Start();
                    break;
            }
        }
    }

    /// <summary>From now on nothing goes wrong, and every silo is up.</summary>
    public Task HealAsync()
    {
        _isCalm = true;
        _logPlan.Heal();
        _viewPlan.Heal();
        return Task.WhenAll(_faults.SettleAsync(), _faultyViews.SettleAsync());
    }
}
