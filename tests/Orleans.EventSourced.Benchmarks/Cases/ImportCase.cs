using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;
using Orleans.EventSourced.UnitTests;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>The real log as commands through the example's grains, until every view and the trace are where the log ends; a fresh process and an empty database each time.</summary>
internal sealed class ImportCase : ICase
{
    public const string CaseName = "import";

    public string Name => CaseName;

    public string Title => "the real log's 561,470 events as commands through grains, all views of the example and the trace, until every checkpoint is the head";

    public Quantity Ranks => Quantity.PerSecond;

    public Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken)
    {
        var file = RealLog.Path ?? throw new CaseSkippedException(RealLog.Missing);
        return Task.FromResult<IReadOnlyList<Entrant>>([new Entrant(Contenders.Ours, async (_, cancel) => await ImportRound.InItsOwnProcessAsync(await ground.PlaceAsync(cancel), file, ground.Scale.Fines, cancel)) { WarmsUp = false }]);
    }
}
