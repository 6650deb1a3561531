using Orleans.EventSourced.Benchmarks.Compare;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>What the comparison asks.</summary>
internal static class AllCases
{
    public static IReadOnlyList<ICase> InOrder { get; } =
    [
        .. new[] { 1, 32, 128, 512, 2_048 }.Select(AppendCase.ToDistinctEntities),
        AppendCase.TenEvents,
        AppendCase.HotEntity,
        .. new[] { 10, 1_000, 10_000 }.Select(n => new ColdCase(n)),
        .. CatchUpCase.Both,
        .. new[] { 2_000, 10_000 }.Select(n => new LagCase(n)),
        QueryCase.Key,
        QueryCase.Page,
        new ReadYourWritesCase(),
        new ImportCase(),
        new StorageCase(),
        new StartUpCase(),
        new HeldSnapshotCase(),
    ];
}
