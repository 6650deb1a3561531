using Microsoft.Extensions.DependencyInjection;
using Orleans.Concurrency;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Mutations;
using Orleans.EventSourced.Projections;

namespace Orleans.EventSourced.Queries;

/// <summary>Stage 9 of the data's way: answers queries on a view from its table. Its key is the view's name; the version is that of the program that answers.</summary>
[Alias("Orleans.EventSourced.IViewQueryGrain")]
public interface IViewQueryGrain : IGrainWithStringKey
{
    /// <summary>The row with this key; null: there is none.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    [Alias("Get")]
    Task<ViewResult<ViewRow?>> GetAsync(string key, Consistency consistency);

    /// <summary>A page of rows.</summary>
    /// <exception cref="RowQueryException">The query names what the view does not allow.</exception>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    [Alias("List")]
    Task<ViewResult<ViewRows>> ListAsync(RowQuery query, Consistency consistency);

    /// <summary>The rows that changed behind a cursor, each as it is now, by position, up to what all rows reflect.</summary>
    /// <param name="since">The <c>Next</c> of the changes read before; null: nothing yet, only where to begin.</param>
    /// <param name="limit">The most changes, 1 to <see cref="RowQuery.MaxLimit"/>.</param>
    /// <exception cref="RowQueryException">The cursor or the limit is none.</exception>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    [Alias("ListChanges")]
    Task<ViewResult<ViewChanges>> ListChangesAsync(string? since, int limit);
}

/// <summary>Stateless and reentrant: a read that waits for a position delays no other.</summary>
[GrainType("es-view-query"), StatelessWorker, Reentrant]
internal sealed class ViewQueryGrain(RegisteredViews views, Checkpoints checkpoints, LogTail tail, IServiceProvider services, IGrainFactory grains) : Grain, IViewQueryGrain
{
    public Task<ViewResult<ViewRow?>> GetAsync(string key, Consistency consistency) =>
        AnswerAsync(consistency, v => [Slice.Of(key, v.Slices).Index], v => v.ReadAsync(key), (v, own) => v.ReadAsync(key, own));

    public Task<ViewResult<ViewRows>> ListAsync(RowQuery query, Consistency consistency) =>
        AnswerAsync(consistency, v => [.. Enumerable.Range(0, v.Slices)], v => v.QueryAsync(query), (v, own) => v.QueryAsync(query, own));

    public Task<ViewResult<ViewChanges>> ListChangesAsync(string? since, int limit)
    {
        RowCursor? after;
        try
        {
            after = since is null ? null : RowCursor.Parse(since);
        }
        catch (FormatException e)
        {
            throw new RowQueryException("since", e.Message);
        }

        return limit is >= 1 and <= RowQuery.MaxLimit
            ? AnswerAsync<ViewChanges>(new Consistency.Eventual(), static _ => [], v => v.ReadChangesAsync(after, limit), static (_, _) => Task.FromResult<ViewAnswer<ViewChanges>?>(null))
            : throw new RowQueryException("limit", $"It is 1 to {RowQuery.MaxLimit}; got {limit}.");
    }

    private async Task<ViewResult<T>> AnswerAsync<T>(
        Consistency consistency,
        Func<RegisteredView, int[]> slices,
        Func<RegisteredView, Task<ViewAnswer<T>>> read,
        Func<RegisteredView, Func<LogPosition, Task<IReadOnlyList<OwnEvents>>>, Task<ViewAnswer<T>?>> readWithMine)
    {
        ArgumentNullException.ThrowIfNull(consistency);
        if (views.Named(this.GetPrimaryKeyString()) is not { } view)
        {
            return new NoSuchView<T>();
        }

        if (consistency is Consistency.WithMine mine)
        {
            return await readWithMine(view, after => OwnAsync(mine.Session, after)) is { } overlaid ? overlaid : new ViewBehind<T>((await read(view)).Reflects, tail.Head.Value);
        }

        if (consistency is Consistency.AtLeast(var wanted, var atMost) && !await checkpoints.WaitAsync(view, slices(view), new LogPosition(wanted), TimeSpan.Zero, CancellationToken.None))
        {
            // What a command's answer gave is in the log, even where this silo has not heard of it yet.
            if (tail.Head.Value < wanted && (await tail.ReadHeadAsync(CancellationToken.None)).Position is var head && head.Value < wanted)
            {
                return new BeyondTheLog<T>(head.Value);
            }

            await checkpoints.WaitAsync(view, slices(view), new LogPosition(wanted), atMost, CancellationToken.None);
        }

        // The rows themselves have the last word: they may have come as far after the wait, and what this silo knows of the checkpoints may be of a table that was dropped and is filled anew.
        var answer = await read(view);
        return consistency is Consistency.AtLeast(var least, _) && answer.Reflects < least ? new ViewBehind<T>(answer.Reflects, tail.Head.Value) : answer;
    }

    /// <summary>What the session's accepted mutations wrote behind a position. It is called back outside the grain's turns, where its own factory of grains may not be used.</summary>
    private async Task<IReadOnlyList<OwnEvents>> OwnAsync(string session, LogPosition after)
    {
        if (services.GetService<RegisteredMutations>() is null)
        {
            return [];
        }

        return
        [
            .. from m in await grains.GetGrain<ISessionGrain>(session).ListAcceptedAsync(after.Value)
               select new OwnEvents(new StreamId(m.Stream!), new StreamVersion(m.Version!.Value - m.Events!.Value + 1), new StreamVersion(m.Version.Value)),
        ];
    }
}
