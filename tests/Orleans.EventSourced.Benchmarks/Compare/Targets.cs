using Orleans.EventSourced.Benchmarks.Cases;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>What this project wants to reach on PostgreSQL 15 with fsync on, everything on one machine of two cores.</summary>
internal static class Targets
{
    private const double Bytes4Kb = 4_000;

    private static readonly Target[] All =
    [
        new(AppendCase.NameOf(1), "times the best peer", Rate(1).Over(Akka(1), StateStorage(1), LogStorage(1)), 1.3, Direction.AtLeast),
        new(AppendCase.NameOf(1), "times one-row INSERT on one connection", Rate(1).Over(At(1, Contenders.Insert1, Quantity.PerSecond)), 0.6, Direction.AtLeast),
        .. new[] { (32, 4), (128, 4), (512, 3), (2_048, 4) }.SelectMany(t => new Target[]
        {
            new(AppendCase.NameOf(t.Item1), "times Akka.Persistence.Sql", Rate(t.Item1).Over(Akka(t.Item1)), t.Item2, Direction.AtLeast, Aim: 5),
            new(AppendCase.NameOf(t.Item1), "times the better of Orleans' own", Rate(t.Item1).Over(StateStorage(t.Item1), LogStorage(t.Item1)), 6, Direction.AtLeast, Aim: 10),
        }),
        new(AppendCase.NameOf(2_048), "times COPY", Rate(2_048).Over(At(2_048, Contenders.Copy, Quantity.PerSecond)), 0.4, Direction.AtLeast, Aim: 0.6),
        new(AppendCase.NameOf(128), "p99, times Akka's p50", At(128, Contenders.Ours, Quantity.P99).Over(At(128, Contenders.Akka, Quantity.P50)), 1, Direction.AtMost),
        new(ColdCase.NameOf(1_000), "ms, p50", new Figure.Plain(new Cell(ColdCase.NameOf(1_000), ColdCase.Replayed, Quantity.P50)), 3, Direction.AtMost),
        new(
            ColdCase.NameOf(1_000), "ms more than an empty grain, with snapshot, p50",
            new Figure.More(new Cell(ColdCase.NameOf(1_000), ColdCase.FromSnapshot, Quantity.P50), new Cell(ColdCase.NameOf(1_000), ColdCase.Empty, Quantity.P50)), 1, Direction.AtMost),
        new(CatchUpCase.Few, "events/s, first run of a process", new Figure.Plain(new Cell(CatchUpCase.Few, Contenders.Ours, Quantity.PerSecond)), 120_000, Direction.AtLeast),
        new(CatchUpCase.Many, "events/s, first run of a process", new Figure.Plain(new Cell(CatchUpCase.Many, Contenders.Ours, Quantity.PerSecond)), 90_000, Direction.AtLeast),
        new(LagCase.NameOf(10_000), "ms from answer to view, p99", new Figure.Plain(new Cell(LagCase.NameOf(10_000), LagCase.WithViews, Quantity.P99)), 100, Direction.AtMost),
        new(
            LagCase.NameOf(10_000), "share of the appends lost to the views",
            new Figure.Loss(new Cell(LagCase.NameOf(10_000), LagCase.WithViews, Quantity.PerSecond), new Cell(LagCase.NameOf(10_000), LagCase.WithoutViews, Quantity.PerSecond)), 0.25, Direction.AtMost),
        new(QueryCase.ByKey, "reads/s, 64 callers", new Figure.Plain(new Cell(QueryCase.ByKey, Contenders.Ours, Quantity.PerSecond)), 15_000, Direction.AtLeast),
        new(QueryCase.ByKey, "ms, p99", new Figure.Plain(new Cell(QueryCase.ByKey, Contenders.Ours, Quantity.P99)), 20, Direction.AtMost),
        new(ImportCase.CaseName, "events/s until every checkpoint is the head", new Figure.Plain(new Cell(ImportCase.CaseName, Contenders.Ours, Quantity.PerSecond)), 12_000, Direction.AtLeast, Aim: 20_000),
        new(
            HeldSnapshotCase.CaseName, "times the same without",
            new Figure.Times(new Cell(HeldSnapshotCase.CaseName, HeldSnapshotCase.Held, Quantity.PerSecond), new Cell(HeldSnapshotCase.CaseName, HeldSnapshotCase.Free, Quantity.PerSecond)), 0.8, Direction.AtLeast),
        new(AppendCase.NameOf(128), "bytes allocated a command, the whole way", new Figure.Plain(At(128, Contenders.Ours, Quantity.BytesPerCall)), Bytes4Kb, Direction.AtMost),
    ];

    /// <summary>The targets of a run; there are none where ours is in SQLite and the others are not.</summary>
    public static IReadOnlyList<Target> On(string store) => store == Place.Postgres ? All : [];

    private static Cell At(int callers, string entrant, Quantity quantity) => new(AppendCase.NameOf(callers), entrant, quantity);

    private static Cell Rate(int callers) => At(callers, Contenders.Ours, Quantity.PerSecond);

    private static Cell Akka(int callers) => At(callers, Contenders.Akka, Quantity.PerSecond);

    private static Cell StateStorage(int callers) => At(callers, Contenders.StateStorage, Quantity.PerSecond);

    private static Cell LogStorage(int callers) => At(callers, Contenders.LogStorage, Quantity.PerSecond);

    private static Figure.Times Over(this Cell cell, params Cell[] best) => new(cell, best);
}
