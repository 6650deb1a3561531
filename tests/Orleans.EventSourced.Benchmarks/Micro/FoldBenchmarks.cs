using BenchmarkDotNet.Attributes;
using Fines;
using Orleans.EventSourced.Benchmarks.Peers;

namespace Orleans.EventSourced.Benchmarks.Micro;

/// <summary>States from events, and a decision; figures of the folds are an event.</summary>
public class FoldBenchmarks
{
    private const int Events = 1_000;
    private static readonly FineEvent[] Payments = [.. Enumerable.Range(0, Events).Select(_ => new PaymentReceived(DateTimeOffset.UnixEpoch, 0.01m))];
    private static readonly TallyEvent[] Ticks = [.. Enumerable.Range(1, Events).Select(n => new Ticked(n, "a note"))];
    private static readonly Fine Issued = Fine.Evolve(Fine.Initial, new FineIssued(DateTimeOffset.UnixEpoch, 35.00m, 157, 0, "A", "561", "NIL"));
    private static readonly RegisterPayment Payment = new(DateTimeOffset.UnixEpoch.AddYears(41), 35.00m);

    [Benchmark(OperationsPerInvoke = Events)]
    public object FoldFine() => Payments.Aggregate(Issued, Fine.Evolve);

    [Benchmark(OperationsPerInvoke = Events)]
    public object FoldTally() => Ticks.Aggregate(Tally.Initial, Tally.Evolve);

    [Benchmark]
    public object Decide() => Fine.Decide(Issued, Payment);
}
