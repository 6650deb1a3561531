namespace Orleans.EventSourced.Testing.Faults;

/// <summary>
/// Which calls go wrong, and how: first what is scripted, call by call, then by chance from a seed, or nothing more. The same seed and the same calls in the same order give the same faults.
/// It counts what it gave. Safe for concurrent use; but only who makes one call after the other gets the same faults again.
/// </summary>
public sealed class FaultPlan
{
    private readonly Lock _gate = new();
    private readonly Queue<Fault> _writes = new();
    private readonly Queue<Fault> _reads = new();
    private readonly long[] _given = new long[Enum.GetValues<FaultKind>().Length];
    private readonly Random? _random;
    private readonly FaultRates _rates;
    private bool _isAway;
    private bool _isHealed;

    /// <summary>Nothing goes wrong but what is scripted.</summary>
    public FaultPlan() => _rates = FaultRates.None;

    /// <param name="seed">Where the faults come from.</param>
    /// <param name="rates">How many they are.</param>
    /// <exception cref="ArgumentException">A rate is below 0, or they are more than 1 together, or a time is negative.</exception>
    public FaultPlan(int seed, FaultRates rates)
    {
        ArgumentNullException.ThrowIfNull(rates);
        double[] writes = [rates.Unavailable, rates.LostReply, rates.LostRequest, rates.LateRequest, rates.Race];
        if (writes.Append(rates.FailedRead).Any(r => r is not (>= 0 and <= 1)) || writes.Sum() > 1 || rates.MaxDelay < TimeSpan.Zero || rates.MaxLateness < TimeSpan.Zero)
        {
            throw new ArgumentException($"Rates are 0 to 1, those of writes no more than 1 together, and times not negative; got {rates}.", nameof(rates));
        }

        (_random, _rates) = (new Random(seed), rates);
    }

    /// <summary>While it is true every call fails with a sure no; nothing else of the plan is used up.</summary>
    public bool IsAway
    {
        get => Volatile.Read(ref _isAway);
        set => Volatile.Write(ref _isAway, value);
    }

    /// <summary>From now on nothing goes wrong by chance any more, nor takes time.</summary>
    public void Heal()
    {
        lock (_gate)
        {
            (_isAway, _isHealed) = (false, true);
        }
    }

    /// <summary>The writes that the script still holds.</summary>
    public int ScriptedWrites
    {
        get
        {
            lock (_gate)
            {
                return _writes.Count;
            }
        }
    }

    /// <summary>How many calls got this so far, <see cref="FaultKind.None"/> included.</summary>
    public long Given(FaultKind kind)
    {
        lock (_gate)
        {
            return _given[(int)kind];
        }
    }

    /// <summary>Scripts the next writes that are not scripted yet.</summary>
    /// <param name="kind">What goes wrong with each of them.</param>
    /// <param name="before">How long each is on its way.</param>
    /// <param name="after">How long its answer is on its way, or how late it arrives.</param>
    /// <param name="times">How many writes, 1 or more.</param>
    /// <returns>This plan.</returns>
    public FaultPlan NextWrite(FaultKind kind, TimeSpan before = default, TimeSpan after = default, int times = 1) => Script(_writes, new Fault(kind, before, after), times);

    /// <summary>Scripts the next reads that are not scripted yet; see <see cref="NextWrite"/>.</summary>
    /// <returns>This plan.</returns>
    public FaultPlan NextRead(FaultKind kind, TimeSpan before = default, TimeSpan after = default, int times = 1) => Script(_reads, new Fault(kind, before, after), times);

    internal Fault TakeWrite() => Take(_writes, static (plan, random) => plan.ByChance(random));

    internal Fault TakeRead() => Take(_reads, static (plan, random) => new Fault(random.NextDouble() < plan._rates.FailedRead ? FaultKind.Unavailable : FaultKind.None, plan.Delay(random), plan.Delay(random)));

    private Fault Take(Queue<Fault> script, Func<FaultPlan, Random, Fault> byChance)
    {
        lock (_gate)
        {
            var fault = IsAway ? new Fault(FaultKind.Unavailable) : script.TryDequeue(out var next) ? next : _random is null || _isHealed ? default : byChance(this, _random);
            _given[(int)fault.Kind]++;
            return fault;
        }
    }

    private FaultPlan Script(Queue<Fault> script, Fault fault, int times)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(times, 1);
        lock (_gate)
        {
            for (var i = 0; i < times; i++)
            {
                script.Enqueue(fault);
            }
        }

        return this;
    }

    private Fault ByChance(Random random)
    {
        var dice = random.NextDouble();
        var kind = FaultKind.None;
        foreach (var (each, rate) in new[]
        {
            (FaultKind.Unavailable, _rates.Unavailable), (FaultKind.LostReply, _rates.LostReply), (FaultKind.LostRequest, _rates.LostRequest),
            (FaultKind.LateRequest, _rates.LateRequest), (FaultKind.Race, _rates.Race),
        })
        {
            if (dice < rate)
            {
                kind = each;
                break;
            }

            dice -= rate;
        }

        return new Fault(kind, Delay(random), kind == FaultKind.LateRequest ? _rates.MaxLateness * random.NextDouble() : Delay(random));
    }

    // The cube: most are short, as in life, and a few overtake each other.
    private TimeSpan Delay(Random random) => _rates.MaxDelay * Math.Pow(random.NextDouble(), 3);
}
