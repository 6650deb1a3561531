using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.History;

/// <content>Views of the branch: what it changes of each stream is found first, and then the log is folded with it.</content>
public sealed partial class Branch
{
    // Payloads of so many events are in memory while functions are laid over the streams of a large log, which then is read several times.
    private const int MaxGathered = 2_000_000;

    /// <summary>Folds a view over the branch, and beside it over the trunk as of the base.</summary>
    /// <param name="projection">The view.</param>
    /// <param name="skipped">The events of the trunk that it passes over, of both; what the branch has in their places it takes in.</param>
    /// <param name="poison">What it does at an event that its fold refuses.</param>
    /// <param name="progress">Told of how many events were read and how many will be; null: nobody is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="HistoryException">An edit, a function or a fold fails, or there is too much of it.</exception>
    /// <exception cref="LogException">The trunk could not answer, or has an event that this program cannot read.</exception>
    public async Task<BranchView<TRow>> FoldAsync<TRow>(Projection<TRow> projection, IReadOnlyCollection<SkippedEvent> skipped, PoisonPolicy poison, Action<long, long>? progress, CancellationToken cancellationToken)
        where TRow : class
    {
        ArgumentNullException.ThrowIfNull(projection);
        var point = new ReplayPoint(default, Definition.Base, null, IsFinal: true);
        var passes = _functions.Length == 0 ? 1 : 2;
        var patches = await PatchesAsync(point, at => progress?.Invoke(at.Value / passes, Definition.Base.Value), cancellationToken).ConfigureAwait(false);
        var (trunk, branch) = (new ViewFold<TRow>(projection, skipped, poison, _options.MaxRows), new ViewFold<TRow>(projection, [], poison, _options.MaxRows));
        var (numbers, passedOver) = (new Numbers(), skipped.Select(s => s.Position).ToHashSet());
        await _replay.RunAsync(
            point,
            page =>
            {
                var events = page.Of(projection.Events);
                Guarded(() => trunk.Add(events));
                Guarded(() => branch.Add(PassingOver(page.Events, passedOver, Branched(page.Events, events, patches, projection.Events, numbers))));
            },
            at => progress?.Invoke(passes == 1 ? at.Value : (Definition.Base.Value / 2) + (at.Value / 2), Definition.Base.Value),
            cancellationToken).ConfigureAwait(false);
        var view = new BranchView<TRow>(this, trunk, branch, projection.Events, _codec, Definition.Base);
        Guarded(() => branch.Add(New(patches, projection.Events, numbers)));
        view.CatchUp();
        return view;
    }

    /// <summary>What the branch changes of each stream of the log.</summary>
    private async Task<Dictionary<StreamId, StreamPatch>> PatchesAsync(ReplayPoint point, Action<LogPosition> progress, CancellationToken cancellationToken)
    {
        var patches = new Dictionary<StreamId, StreamPatch>();
        if (_functions.Length == 0)
        {
            foreach (var edited in _edits)
            {
                var trunk = await TrunkAsync(edited.Key, cancellationToken).ConfigureAwait(false);
                Add(edited.Key, trunk.ConvertAll(PayloadOf));
            }

            return patches;
        }

        var parts = 1 + (int)(point.Position.Value / MaxGathered);
        for (var part = 0; part < parts; part++)
        {
            var gathered = new Dictionary<StreamId, List<object?>>();
            await _replay.RunAsync(point, page => Gather(page, gathered, part, parts), progress, cancellationToken).ConfigureAwait(false);
            foreach (var (stream, payloads) in gathered)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Add(stream, payloads);
            }

            foreach (var edited in _edits.Where(e => IsIn(e.Key, part, parts) && !gathered.ContainsKey(e.Key)))
            {
                Add(edited.Key, []);
            }
        }

        return patches;

        void Add(StreamId stream, List<object?> trunk)
        {
            if (StreamPatch.Of(stream, trunk, [.. _edits[stream]], _functions) is { } patch)
            {
                patches.Add(stream, patch);
            }
        }
    }

    private static bool IsIn(StreamId stream, int part, int parts) => parts == 1 || Slice.HashOf(stream.Value) % (uint)parts == (uint)part;

    private void Gather(ReplayPage page, Dictionary<StreamId, List<object?>> gathered, int part, int parts)
    {
        foreach (var (recorded, payload) in page.Each(IsSeenByFunctions))
        {
            if (IsIn(recorded.Stream, part, parts))
            {
                if (!gathered.TryGetValue(recorded.Stream, out var payloads))
                {
                    gathered.Add(recorded.Stream, payloads = []);
                }

                payloads.Add(payload);
            }
        }
    }

    /// <summary>The events of a page as they are on the branch, those of a family.</summary>
    private List<DecodedEvent> Branched(IReadOnlyList<RecordedEvent> page, List<DecodedEvent> family, Dictionary<StreamId, StreamPatch> patches, Type events, Numbers numbers)
    {
        if (patches.Count == 0)
        {
            return family;
        }

        var (emitted, next) = (new List<(RecordedEvent Recorded, object? Payload)>(page.Count), 0);
        foreach (var recorded in page)
        {
            var payload = next < family.Count && ReferenceEquals(family[next].Recorded, recorded) ? family[next++].Event : null;
            if (patches.TryGetValue(recorded.Stream, out var patch))
            {
                patch.Emit(recorded, payload, (p, v, at) => Make(p, v, at, numbers), emitted);
            }
            else if (payload is not null)
            {
                emitted.Add((recorded, payload));
            }
        }

        return Of(events, emitted);
    }

    /// <summary>What the view passes over is named by its position, at which, and behind the base, the branch has events of its own.</summary>
    private static List<DecodedEvent> PassingOver(IReadOnlyList<RecordedEvent> page, HashSet<LogPosition> skipped, List<DecodedEvent> events)
    {
        if (skipped.Count == 0)
        {
            return events;
        }

        var ids = page.Where(e => skipped.Contains(e.Position)).Select(e => e.Id).ToHashSet();
        return ids.Count == 0 ? events : [.. events.Where(e => !ids.Contains(e.Recorded.Id))];
    }

    /// <summary>The events of streams that only the branch has.</summary>
    private List<DecodedEvent> New(Dictionary<StreamId, StreamPatch> patches, Type events, Numbers numbers)
    {
        var emitted = new List<(RecordedEvent Recorded, object? Payload)>();
        foreach (var edited in _edits.Where(e => patches.ContainsKey(e.Key) && !numbers.Seen(e.Key)).OrderBy(e => e.Key.Value, StringComparer.Ordinal))
        {
            patches[edited.Key].EmitNew(PlaceOf(edited.Key), (p, v, at) => Make(p, v, at, numbers), emitted);
        }

        return Of(events, emitted);
    }

    /// <summary>Of what happens on the branch that which is of a family.</summary>
    private static List<DecodedEvent> Of(Type family, List<(RecordedEvent Recorded, object? Payload)> emitted) =>
        [.. emitted.Where(e => family.IsInstanceOfType(e.Payload) || TailPage.IsUndecoded(family)).Select(e => new DecodedEvent(e.Recorded, e.Payload!))];
}
