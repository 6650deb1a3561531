using Fines;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;
using Orleans.EventSourced.UnitTests;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>A new view over the real log, each round in a fresh process. The two cases read one log, which the first of them writes.</summary>
internal sealed class CatchUpCase : ICase
{
    public const string Few = "catch-up-few";
    public const string Many = "catch-up-many";
    private const int GeneratedFines = 150_370;
    private const int PageEvents = 5_000;
    private readonly string _view;
    private readonly bool _needsRealLog;
    private readonly Dictionary<Ground, Place> _logs;

    private CatchUpCase(string name, string title, string view, bool needsRealLog, Dictionary<Ground, Place> logs) => (Name, Title, _view, _needsRealLog, _logs) = (name, title, view, needsRealLog, logs);

    public static IReadOnlyList<CatchUpCase> Both { get; } = CreateBoth();

    public string Name { get; }

    public string Title { get; }

    public Quantity Ranks => Quantity.PerSecond;

    public async Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken)
    {
        if (_needsRealLog && RealLog.Path is null)
        {
            throw new CaseSkippedException(RealLog.Missing);
        }

        if (!_logs.TryGetValue(ground, out var place))
        {
            place = await ground.PlaceAsync(cancellationToken);
            var fines = (RealLog.Path is { } file ? XesReader.Read(file) : FineGenerator.Generate(GeneratedFines)).Take(ground.Scale.Fines);
            await FineLog.FillAsync(place, fines, FineLog.InImportOrder, cancellationToken);
            _logs.Add(ground, place);
        }

        return [new Entrant(Contenders.Ours, (_, cancel) => CatchUpRound.InItsOwnProcessAsync(place, _view, PageEvents, cancel)) { WarmsUp = false }];
    }

    private static CatchUpCase[] CreateBoth()
    {
        var logs = new Dictionary<Ground, Place>();
        return
        [
            new CatchUpCase(Few, "a new view of 500 rows over the real log (generated fines where it is missing), first run of a process", FiveHundred.View, needsRealLog: false, logs),
            new CatchUpCase(Many, "a new view with a row for each of the real log's 150,370 fines, first run of a process", CatchUpRound.FineSummaryView, needsRealLog: true, logs),
        ];
    }
}
