using Fines.Views;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.Reactions;

namespace Fines;

/// <summary>What happens to fines because of time.</summary>
public static class FineDeadlines
{
    /// <summary>Adds a penalty to each fine that is still open at the end of its term; <see cref="PenaltyDue"/> says which those are. It needs the views of the fines.</summary>
    /// <param name="silo">The silo builder.</param>
    public static ISiloBuilder AddFineDeadlines(this ISiloBuilder silo) => silo.AddDeadline<PenaltyDue>("penalty", row => row.DueAt, AddPenaltyAsync);

    private static async Task AddPenaltyAsync(DeadlineContext<PenaltyDue> context)
    {
        var (id, row, dueAt, position) = context.Due;
        var fine = await context.Grains.GetGrain<IFineGrain>(id).GetAsync();
        if (fine.Position > position.Value)
        {
            // Something has happened that the row does not show yet. It will change, and be looked at again.
            return;
        }

        // The penalty happens at the deadline, unless the fine has an event behind it already: what happened to a fine is in order.
        var at = row.LastOccurredAt > dueAt ? row.LastOccurredAt : dueAt;
        await context.SendAsync(grains => grains.GetGrain<IFineGrain>(id).ExecuteAsync(new AddPenalty(at, row.Penalty)), expectedVersion: fine.Version);
        if (fine.Position < position.Value)
        {
            // Where nodes were cut off from each other, a fine may be in memory as it was before another node wrote. The command has met what is in the log, so that the fine has read it in by now.
            throw new LogUnavailableException($"Fine '{id}' was in memory as of position {fine.Position}, and its row is as of {position}: it is looked at again.");
        }
    }
}
