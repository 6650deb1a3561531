using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.LogConsistency;

/// <content>The way of pending events into the log, and of what the log answers into the views.</content>
internal sealed partial class EventLogViewAdaptor<TView, TEntry>
{
    private Task FlushAsync()
    {
        if (_flushing is null or { IsCompleted: true })
        {
            _flushing = _pending.Count == 0 ? Task.CompletedTask : FlushPendingAsync();
        }

        return _flushing;
    }

    /// <summary>Sends what is pending, one command at a time, until nothing is. It never throws: a failure breaks the activation.</summary>
    private async Task FlushPendingAsync()
    {
        Submission<TEntry>? batch = null;
        try
        {
            if (_pending[^1].Expected is null)
            {
                // What the grain raises in the same turn goes into the same append.
                await Task.Yield();
            }

            _implicit = null;
            var conflicts = 0;
            while (_pending.Count > 0)
            {
                batch = Submission<TEntry>.First(_pending);
                AppendOutcome outcome;
                try
                {
                    outcome = await _services.Appends.AppendAsync(batch.ToRequest(_views.Version));
                }
                catch (LogOverloadedException e) when (batch.Expected is not null)
                {
                    // Its own caller waits for it and is told. What was raised without waiting breaks the activation instead: else a later ConfirmEvents would call it confirmed.
                    _pending.RemoveRange(0, batch.Parts);
                    batch.Refuse(e);
                    await _views.RebuildTentativeAsync(_pending);
                    _host.OnViewChanged(tentative: true, confirmed: false);
                    continue;
                }

                if (outcome is AppendOutcome.Conflict && batch.Expected is null && ++conflicts > _services.Options.MaxConflicts)
                {
                    throw new LogUnavailableException($"Stream '{Stream}' was changed by others {conflicts} times in a row while this grain tried to append; nothing of it was written.");
                }

                await SettleAsync(batch, outcome);
            }
        }
        catch (Exception e)
        {
            Break(e);
        }

        FailPending(batch);
    }

    private async Task SettleAsync(Submission<TEntry> batch, AppendOutcome outcome)
    {
        if (outcome is AppendOutcome.Duplicate before && !await IsSameAsync(batch, before))
        {
            // To the log the ids are the request. Decided in another state, it may hold other events than those that are there.
            outcome = new AppendOutcome.IdReused();
        }

        switch (outcome)
        {
            case AppendOutcome.Appended appended:
                _pending.RemoveRange(0, batch.Parts);
                _views.Confirm(batch, appended, _pending);
                batch.Settle(outcome);
                batch.Tell();
                _host.OnViewChanged(tentative: false, confirmed: true);
                return;
            case AppendOutcome.Conflict { Actual: var actual } when actual < _views.Version:
                throw new LogCorruptException($"the stream ends here; version {_views.Version} was confirmed before: the log went back.", Stream, actual, LogPosition.Start, "");
            case AppendOutcome.Conflict when batch.Expected is null:
                break;
            case AppendOutcome.IdReused when batch.Parts > 1:
                batch.Part();
                return;
            case AppendOutcome.IdReused when batch.Expected is null && !await IsRepeatedAsync(batch):
                throw new CommandIdReusedException(Stream, batch.Invocation.Command);
            case AppendOutcome.Conflict or AppendOutcome.Duplicate or AppendOutcome.IdReused:
                _pending.RemoveRange(0, batch.Parts);
                batch.Settle(outcome);
                break;
            default:
                throw new InvalidOperationException($"Group commit answered {outcome}.");
        }

        try
        {
            await CatchUpAsync(tentativeChanged: true);
        }
        finally
        {
            if (batch.IsSettled)
            {
                batch.Tell();
            }
        }
    }

    /// <summary>Whether the events that stand in the log under these ids are of the same types.</summary>
    private async Task<bool> IsSameAsync(Submission<TEntry> batch, AppendOutcome.Duplicate before)
    {
        try
        {
            var there = await ReadAsync(new StreamVersion(before.Version.Value - batch.Events.Count), batch.Events.Count);
            return there.Select(e => e.Type).SequenceEqual(batch.Events.Select(e => e.Type));
        }
        catch (LogException e) when (e is not LogCorruptException)
        {
            // A lost reply that was resolved answers so too: then these very events are there.
            throw new LogOutcomeUnknownException($"Events under the ids of this command are in stream '{Stream}', but could not be read to be compared with it. Send the same command id again to learn its fate.", e);
        }
    }

    /// <summary>
    /// Whether an earlier run of the command wrote these events, in an append with others: how raised events fall into appends depends on how the run's awaits happened to
    /// complete.
    /// </summary>
    private async Task<bool> IsRepeatedAsync(Submission<TEntry> batch)
    {
        if (await FindAsync(batch.Events[0].Id) is not { } first || EventMetadata.Parse(first.Metadata).RequestHash != batch.Request.RequestHash)
        {
            return false;
        }

        var there = await ReadAsync(new StreamVersion(first.Version.Value - 1), batch.Events.Count);
        return there.Select(e => (e.Id, e.Type)).SequenceEqual(batch.Events.Select(e => (e.Id, e.Type)));
    }

    /// <summary>Reads in what others wrote, and builds the tentative view anew where that or its own events changed it.</summary>
    private async Task CatchUpAsync(bool tentativeChanged)
    {
        if (await _views.ReadTailAsync() || tentativeChanged)
        {
            await _views.RebuildTentativeAsync(_pending);
            _host.OnViewChanged(tentative: true, confirmed: true);
        }
    }
}
