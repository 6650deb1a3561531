using System.Collections.Concurrent;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>
/// Hands the events of the log to a reaction's handler, step by step, and moves its checkpoint behind what was handled. What was handled before a crash and not yet behind the checkpoint is
/// handled again. Not safe for concurrent use.
/// </summary>
public sealed class ReactionRunner
{
    /// <summary>
    /// How many events that do not concern the reaction it passes before its checkpoint moves for them alone: passing them again costs less than a durable commit for each few.
    /// </summary>
    public const int PassedEvents = 5_000;

    private readonly Reaction _reaction;
    private readonly IReactionStore _store;
    private readonly LogTail _tail;
    private readonly ReactionOptions _options;
    private readonly TimeProvider _time;

    // Handled out of turn, because an event of another stream before them failed. They lie within CheckpointEvents of the checkpoint.
    private readonly ConcurrentDictionary<LogPosition, bool> _handled = new();
    private HashSet<LogPosition> _skipped = [];
    private LogPosition? _position;
    private LogPosition _kept;

    // The last event of the pages read, where the next one begins.
    private LogMark? _mark;
    private TailPage? _page;

    /// <param name="reaction">The reaction.</param>
    /// <param name="store">Where its checkpoint is.</param>
    /// <param name="tail">The log.</param>
    /// <param name="options">Limits; validated by whoever made them.</param>
    /// <param name="time">The clock of the handler's time-out.</param>
    public ReactionRunner(Reaction reaction, IReactionStore store, LogTail tail, ReactionOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(reaction);
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(tail);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        (_reaction, _store, _tail, _options, _time) = (reaction, store, tail, options, time);
    }

    /// <summary>Takes one step. After an exception the next step opens the checkpoint again and goes on from there.</summary>
    /// <exception cref="LogUnavailableException">The log or the store of checkpoints could not answer; the checkpoint may have moved.</exception>
    /// <exception cref="LogMisconfiguredException">The checkpoint is of another log, or further than the log reaches.</exception>
    /// <exception cref="LogCorruptException">The log has a gap.</exception>
    public async Task<ReactionStep> StepAsync(CancellationToken cancellationToken)
    {
        try
        {
            var from = _position ??= await OpenAsync(cancellationToken).ConfigureAwait(false);
            _page ??= await _tail.ReadAsync(from, cancellationToken).ConfigureAwait(false);
            if (_page.Events.Count == 0)
            {
                _page = null;
                return new ReactionStep.AtHead(from);
            }

            var step = await HandleAsync(from, _page, cancellationToken).ConfigureAwait(false);
            if (step is ReactionStep.Unknown or ReactionStep.Failed { Fault.IsOutage: false })
            {
                // By the next step somebody may have said that the event is to be passed over.
                (_position, _page) = (null, null);
            }

            return step;
        }
        catch
        {
            (_position, _page) = (null, null);
            throw;
        }
    }

    /// <summary>Lets the next step open the checkpoint again and go on from there: the log did not answer meanwhile, and may be another one when it does.</summary>
    internal void Reopen() => (_position, _page) = (null, null);

    /// <summary>Passes over an event for good, with its failure as the reason. False: it passes over too many already.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    internal async Task<bool> SkipAsync(ReactionException failure, CancellationToken cancellationToken)
    {
        if ((await _store.ReadSkippedAsync(_reaction.Name, cancellationToken).ConfigureAwait(false)).Count >= ReactionOptions.MaxSkipped)
        {
            return false;
        }

        var skipped = new SkippedEvent(failure.Recorded.Position, StorableText.Of(failure.Message, SkippedEvent.MaxText), _reaction.Name.Actor, _time.GetUtcNow());
        await _store.SkipAsync(_reaction.Name, skipped, cancellationToken).ConfigureAwait(false);
        return true;
    }

    private async Task<LogPosition> OpenAsync(CancellationToken cancellationToken)
    {
        var head = (await _tail.ReadHeadAsync(cancellationToken).ConfigureAwait(false)).Position;
        var (position, mark) = await _store.OpenAsync(_reaction.Name, _reaction.Start == ReactionStart.Head ? head : LogPosition.Start, cancellationToken).ConfigureAwait(false);
        _skipped = [.. from s in await _store.ReadSkippedAsync(_reaction.Name, cancellationToken).ConfigureAwait(false) select s.Position];
        _kept = position;
        Forget(position);
        _mark = mark?.Position == position ? mark : null;
        if (await _tail.DiffersAsync(position, mark, cancellationToken).ConfigureAwait(false) is { } difference)
        {
            // What was handled out of turn was of the log that was.
            _handled.Clear();
            throw new LogMisconfiguredException($"The reaction {_reaction.Name} has followed the log up to position {position}, but {difference}: the log went back, as from a backup. Its checkpoint belongs to the log that was.");
        }

        return position;
    }

    private async Task<ReactionStep> HandleAsync(LogPosition from, TailPage page, CancellationToken cancellationToken)
    {
        var (work, end, unknown, unreadable) = Next(page, (int)(from.Value - page.After.Value));
        var failure = await HandleAsync(work, cancellationToken).ConfigureAwait(false);
        if (failure is null && work.Count == 0 && end == from)
        {
            return unknown is not null ? new ReactionStep.Unknown(from, unknown) : new ReactionStep.Failed(from, unreadable!);
        }

        var next = failure is null ? end : new LogPosition(failure.Recorded.Position.Value - 1);
        if (next > _kept && (work.Count > 0 || failure is not null || next.Value - _kept.Value >= PassedEvents) && !await KeepAsync(next, next > page.After ? LogMark.Of(page.Events[(int)(next.Value - page.After.Value - 1)]) : _mark, cancellationToken).ConfigureAwait(false))
        {
            _page = null;
            _position = await OpenAsync(cancellationToken).ConfigureAwait(false);
            return new ReactionStep.Overtaken(_position.Value);
        }

        _position = next;
        (_page, _mark) = next == page.Last ? (null, LogMark.Of(page.Events[^1])) : (page, _mark);
        Forget(next);
        return failure is null ? new ReactionStep.Advanced(next, (int)(next.Value - from.Value)) : new ReactionStep.Failed(next, failure);
    }

    /// <summary>
    /// What is to be handled next, and up to which position everything is dealt with then: to the end of the page, or to as many events as may lie before a checkpoint, or to one that cannot
    /// be read.
    /// </summary>
    private (List<DecodedEvent> Work, LogPosition End, UnknownEventTypeException? Unknown, ReactionException? Unreadable) Next(TailPage page, int index)
    {
        var work = new List<DecodedEvent>();
        for (var (i, concerned) = (index, 0); i < page.Events.Count; i++)
        {
            var recorded = page.Events[i];
            if (!page.MayBe(i, _reaction.Events) || _skipped.Contains(recorded.Position))
            {
                continue;
            }

            if (concerned++ == _options.CheckpointEvents)
            {
                return (work, page.After + i, null, null);
            }

            if (_handled.ContainsKey(recorded.Position))
            {
                continue;
            }

            try
            {
                work.Add(new DecodedEvent(recorded, page.Decode(i, _reaction.Events)));
            }
            catch (UnknownEventTypeException e)
            {
                return (work, page.After + i, e, null);
            }
            catch (LogCorruptException e)
            {
                return (work, page.After + i, null, new ReactionException(recorded, e, isOutage: false));
            }
        }

        return (work, page.Last, null, null);
    }

    /// <summary>The first event at which the handler failed, or null. Each stream's events are handled in order, and none behind one that failed.</summary>
    private async Task<ReactionException?> HandleAsync(List<DecodedEvent> work, CancellationToken cancellationToken)
    {
        var failures = new ConcurrentBag<ReactionException>();
        await Parallel.ForEachAsync(
            work.GroupBy(e => e.Recorded.Stream),
            new ParallelOptions { MaxDegreeOfParallelism = _options.Concurrency, CancellationToken = cancellationToken },
            async (stream, stop) =>
            {
                foreach (var (recorded, payload) in stream)
                {
                    // While something does not answer, the others would only wait for it too.
                    if (failures.Any(f => f.IsOutage))
                    {
                        return;
                    }

                    try
                    {
                        await HandlerTime.RunAsync(late => _reaction.HandleAsync(recorded, payload, late), _options.HandlerTimeout, _time, stop).ConfigureAwait(false);
                        _handled[recorded.Position] = true;
                    }
                    catch (Exception e) when (!stop.IsCancellationRequested)
                    {
                        failures.Add(new ReactionException(recorded, e, _reaction.Outage(e)));
                        return;
                    }
                }
            }).ConfigureAwait(false);
        return failures.MinBy(f => f.Recorded.Position);
    }

    private async Task<bool> KeepAsync(LogPosition next, LogMark? mark, CancellationToken cancellationToken)
    {
        var moved = await _store.MoveAsync(_reaction.Name, _kept, next, mark, cancellationToken).ConfigureAwait(false);
        _kept = moved ? next : _kept;
        return moved;
    }

    private void Forget(LogPosition upTo)
    {
        foreach (var position in _handled.Keys.Where(p => p <= upTo))
        {
            _handled.TryRemove(position, out _);
        }
    }
}
