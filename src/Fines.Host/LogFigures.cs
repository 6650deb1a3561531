using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Fines.Host;

/// <summary>Folds the figures of all fines from the log: what is there, not what was sent.</summary>
internal static class LogFigures
{
    private const int PageSize = 5_000;

    /// <summary>The figures, and the position up to which they were folded.</summary>
    public static async Task<(FineTotals Totals, LogPosition Position)> FoldAsync(IEventLog log, JsonEventCodec codec, CancellationToken cancellationToken)
    {
        var totals = new FineTotals();
        var head = (await log.ReadHeadAsync(cancellationToken)).Position;
        var at = LogPosition.Start;
        while (at < head)
        {
            var page = await log.ReadLogAsync(at, PageSize, cancellationToken);
            if (page.Count == 0 || page[0].Position != at + 1)
            {
                throw new LogCorruptException($"position {at + 1} was expected here.", default, StreamVersion.None, page.Count == 0 ? at : page[0].Position, "");
            }

            foreach (var recorded in page)
            {
                if (codec.Decode(recorded) is FineEvent e)
                {
                    totals.Add(recorded.Stream.Key, e);
                }
            }

            at = page[^1].Position;
        }

        return (totals, at);
    }
}
