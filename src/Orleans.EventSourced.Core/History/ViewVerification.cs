using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.History;

/// <summary>What a verification of a view came to.</summary>
/// <param name="View">The view.</param>
/// <param name="Position">How far all rows of its live table reach; null: there is no table yet.</param>
/// <param name="Behind">How many events that is behind the log's head: no finding.</param>
/// <param name="Rows">How many rows were compared.</param>
/// <param name="Findings">What was found.</param>
public sealed record ViewVerificationReport(ViewId View, LogPosition? Position, long Behind, long Rows, FindingList Findings);

/// <summary>
/// Compares the rows of a view's live table with the fold of the log up to the table's checkpoint. It needs no runner, and disturbs none; a row that goes on meanwhile is no finding. It folds the log
/// once into memory, which takes as much as all rows of the view.
/// </summary>
public abstract class ViewVerification
{
    private protected ViewVerification(ViewId view) => View = view;

    /// <summary>The view.</summary>
    public ViewId View { get; }

    /// <summary>The verification of a view.</summary>
    /// <param name="projection">The view and its fold.</param>
    /// <param name="poison">What is done at an event that the fold refuses.</param>
    /// <typeparam name="TRow">The class of a row.</typeparam>
    public static ViewVerification Of<TRow>(Projection<TRow> projection, PoisonPolicy poison = PoisonPolicy.Stop)
        where TRow : class => new OfRows<TRow>(projection, poison);

    /// <summary>Compares.</summary>
    /// <param name="store">The views.</param>
    /// <param name="log">The log.</param>
    /// <param name="codec">What reads the events.</param>
    /// <param name="time">The clock of the waits for a row that stands still.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="LogUnavailableException">A store could not answer.</exception>
    public abstract Task<ViewVerificationReport> RunAsync(IViewStore store, IEventLog log, JsonEventCodec codec, TimeProvider time, CancellationToken cancellationToken);

    private sealed class OfRows<TRow>(Projection<TRow> projection, PoisonPolicy poison) : ViewVerification(projection.View)
        where TRow : class
    {
        public override async Task<ViewVerificationReport> RunAsync(IViewStore store, IEventLog log, JsonEventCodec codec, TimeProvider time, CancellationToken cancellationToken)
        {
            ArgumentNullException.ThrowIfNull(store);
            var checkpoints = (await store.ReadCheckpointsAsync(cancellationToken).ConfigureAwait(false)).Where(c => c.View == View && c.Role == ViewRole.Live).OrderBy(c => c.Position).ToList();
            var head = (await log.ReadHeadAsync(cancellationToken).ConfigureAwait(false)).Position.Value;
            var findings = new Findings();
            var rows = 0L;
            if (checkpoints.Count > 0)
            {
                try
                {
                    rows = await CompareAsync(checkpoints, store, log, codec, time, findings, cancellationToken).ConfigureAwait(false);
                }
                catch (Exception e) when (e is not (LogUnavailableException or OperationCanceledException))
                {
                    // Whatever the fold throws at what stands in the log.
                    findings.Add(new Finding(FindingKind.Unreadable, View.Table, null, null, null, null, null, $"The log cannot be folded into the view: {e.Message}"));
                }
            }

            LogPosition? reaches = checkpoints.Count > 0 ? checkpoints[0].Position : null;
            return new ViewVerificationReport(View, reaches, Math.Max(0, head - (reaches?.Value ?? 0)), rows, findings.ToList());
        }

        /// <summary>Folds to each checkpoint of a slice in turn, and compares there the rows of those slices that reach to it.</summary>
        private async Task<long> CompareAsync(List<Checkpoint> checkpoints, IViewStore store, IEventLog log, JsonEventCodec codec, TimeProvider time, Findings findings, CancellationToken cancellationToken)
        {
            var (fold, part) = (new InMemoryViewTable<TRow>(), new LogPart(log));
            foreach (var e in await store.Table<TRow>().ReadSkippedAsync(cancellationToken).ConfigureAwait(false))
            {
                await fold.SkipAsync(e, cancellationToken).ConfigureAwait(false);
            }

            var runner = new ProjectionRunner<TRow>(projection, Slice.Whole, fold, new LogTail(part, codec, new LogTailOptions(), time));
            var rows = 0L;
            foreach (var slices in checkpoints.GroupBy(c => c.Position, c => c.Slice))
            {
                part.End = slices.Key;
                if (await ViewComparison.FoldAsync(runner, poison, cancellationToken).ConfigureAwait(false) is var end && end != slices.Key)
                {
                    throw new InvalidOperationException($"the table reaches to position {slices.Key}, but the log ends at {end}.");
                }

                rows += await CompareAsync(slices.ToHashSet(), slices.Key, fold, store.Reader<TRow>(), time, findings, cancellationToken).ConfigureAwait(false);
            }

            return rows;
        }

        private async Task<long> CompareAsync(HashSet<Slice> slices, LogPosition position, InMemoryViewTable<TRow> fold, IViewReader<TRow> reader, TimeProvider time, Findings findings, CancellationToken cancellationToken)
        {
            var count = slices.First().Count;
            var expected = fold.Rows.Where(r => slices.Contains(Slice.Of(r.Key, count))).ToDictionary(r => r.Key, r => r.Value, StringComparer.Ordinal);
            var (doubtful, rows) = await ViewComparison.DoubtfulAsync(expected, reader, key => slices.Contains(Slice.Of(key, count)), cancellationToken).ConfigureAwait(false);
            foreach (var key in doubtful.Order(StringComparer.Ordinal).Take(FindingList.MaxShown))
            {
                if (await ViewComparison.DifferenceAsync(key, expected, position, count, reader, time, cancellationToken).ConfigureAwait(false) is { } difference)
                {
                    findings.Add(new Finding(
                        FindingKind.ViewDiffers, View.Table, null, $"key {key}", null, null, position.Value, $"The fold gives {difference.Expected ?? "no row"}; the table has {difference.Found ?? "none"}."));
                }
            }

            return rows;
        }
    }

    /// <summary>A log as it was when it ended at a position.</summary>
    private sealed class LogPart(IEventLog log) : IEventLog
    {
        public LogPosition End { get; set; }

        public async Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken)
        {
            if (after >= End)
            {
                return [];
            }

            var page = await log.ReadLogAsync(after, maxEvents, cancellationToken).ConfigureAwait(false);
            return page.Count > 0 && page[^1].Position > End ? [.. page.TakeWhile(e => e.Position <= End)] : page;
        }

        public async Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken)
        {
            var head = await log.ReadHeadAsync(cancellationToken).ConfigureAwait(false);
            return head.Position > End ? head with { Position = End } : head;
        }

        public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken) => log.ReadStreamsAsync(reads, cancellationToken);

        public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => log.FindCommandAsync(command, cancellationToken);

        public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => log.FindEventAsync(id, cancellationToken);

        public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken) => throw new InvalidOperationException("A part of a log is only read.");
    }
}
