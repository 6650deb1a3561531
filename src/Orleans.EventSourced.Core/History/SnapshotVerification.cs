using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;

namespace Orleans.EventSourced.Core.History;

/// <summary>What a verification of snapshots came to.</summary>
/// <param name="Compared">How many were compared with the fold of their stream.</param>
/// <param name="Foreign">How many are of another log; nobody reads them.</param>
/// <param name="Unknown">How many are of a fold, or of a version of one, that this program does not know.</param>
/// <param name="Findings">What was found.</param>
public sealed record SnapshotVerificationReport(long Compared, long Foreign, long Unknown, FindingList Findings);

/// <summary>Compares each snapshot of a known fold with the fold of its stream up to its version.</summary>
/// <param name="log">The log.</param>
/// <param name="snapshots">The snapshots.</param>
/// <param name="codec">What reads the events.</param>
/// <param name="folds">The folds that the program knows, one a type.</param>
public sealed class SnapshotVerification(IEventLog log, ISnapshotStore snapshots, JsonEventCodec codec, IEnumerable<EntityFold> folds)
{
    private const string Table = "snapshots";
    private const int PageRows = 16;
    private readonly Dictionary<string, EntityFold> _folds = folds.ToDictionary(f => f.Type, StringComparer.Ordinal);
    private readonly Findings _findings = new();

    /// <summary>Runs once. It takes the time of folding the streams of which snapshots are kept, and keeps one state at a time.</summary>
    /// <exception cref="LogUnavailableException">A store could not answer.</exception>
    public async Task<SnapshotVerificationReport> RunAsync(CancellationToken cancellationToken)
    {
        var logId = (await log.ReadHeadAsync(cancellationToken).ConfigureAwait(false)).LogId;
        var (compared, foreign, unknown) = (0L, 0L, 0L);
        Running? running = null;
        for (IReadOnlyList<SnapshotRow> page = []; (page = await snapshots.ListAsync(page.Count == 0 ? null : page[^1], PageRows, cancellationToken).ConfigureAwait(false)).Count > 0;)
        {
            foreach (var row in page)
            {
                if (row.LogId != logId)
                {
                    foreign++;
                }
                else if (FoldOf(row) is not { } fold)
                {
                    unknown++;
                }
                else
                {
                    compared++;
                    running = running?.Stream.Value == row.Stream ? running : new Running(StreamId.Recorded(row.Stream), fold);
                    await CompareAsync(row, running, cancellationToken).ConfigureAwait(false);
                }
            }
        }

        return new SnapshotVerificationReport(compared, foreign, unknown, _findings.ToList());
    }

    private EntityFold? FoldOf(SnapshotRow row)
    {
        try
        {
            return _folds.TryGetValue(StreamId.Recorded(row.Stream).Type, out var fold) && fold.FoldVersion == row.FoldVersion ? fold : null;
        }
        catch (ArgumentException)
        {
            // No stream has that name: nobody reads it.
            return null;
        }
    }

    private async Task CompareAsync(SnapshotRow row, Running running, CancellationToken cancellationToken)
    {
        try
        {
            await running.ToAsync(row.Version, log, codec, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (LogUnavailableException or OperationCanceledException))
        {
            // Whatever the fold throws at what stands in the log.
            Add(row, FindingKind.Unreadable, "state", $"The stream cannot be folded so far: {e.Message}");
            return;
        }

        if (running.Last is not { } last || last.Version.Value != row.Version)
        {
            Add(row, FindingKind.SnapshotDiffers, "version", "The stream has no event of that version.");
        }
        else if ((last.Position.Value, last.Id.Value) != (row.Position, row.EventId))
        {
            Add(row, FindingKind.SnapshotDiffers, "position or event_id", $"The event of that version is {last.Id} at position {last.Position}; the snapshot was made of {row.EventId} at {row.Position}.");
        }
        else if (!IsSame(running.Fold, running.State, row.State))
        {
            Add(row, FindingKind.SnapshotDiffers, "state", "The state is not the fold of the stream's events up to that version.");
        }
    }

    /// <summary>Two states are the same whose JSON is; read and written again, because collections that have no order come out in any.</summary>
    private static bool IsSame(EntityFold fold, object state, ReadOnlyMemory<byte> snapshot)
    {
        var expected = fold.ToJson(state);
        if (snapshot.Span.SequenceEqual(expected))
        {
            return true;
        }

        try
        {
            using var left = JsonDocument.Parse(fold.ToJson(fold.FromJson(expected)));
            using var right = JsonDocument.Parse(fold.ToJson(fold.FromJson(snapshot.Span)));
            return JsonElement.DeepEquals(left.RootElement, right.RootElement);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whatever the state's constructors and setters throw at what stands there.
            return false;
        }
    }

    private void Add(SnapshotRow row, FindingKind kind, string column, string message) => _findings.Add(new Finding(kind, Table, column, $"fold_version {row.FoldVersion}", row.Stream, row.Version, row.Position, message));

    /// <summary>A stream that is folded from snapshot to snapshot, which come by version.</summary>
    private sealed class Running(StreamId stream, EntityFold fold)
    {
        public StreamId Stream { get; } = stream;

        public EntityFold Fold { get; } = fold;

        public object State { get; private set; } = fold.Initial;

        /// <summary>The last event folded; null: none.</summary>
        public RecordedEvent? Last { get; private set; }

        public async Task ToAsync(int version, IEventLog log, JsonEventCodec codec, CancellationToken cancellationToken)
        {
            while ((Last?.Version.Value ?? 0) is var at && at < version)
            {
                var page = (await log.ReadStreamsAsync([new StreamRead(Stream, new StreamVersion(at), Math.Min(version - at, StreamLoader.PageSize), StreamLoader.PageBytes)], cancellationToken).ConfigureAwait(false))[0];
                if (page.Count == 0)
                {
                    return;
                }

                foreach (var e in page)
                {
                    (State, Last) = (Fold.Evolve(State, codec.Decode(e)), e);
                }
            }
        }
    }
}
