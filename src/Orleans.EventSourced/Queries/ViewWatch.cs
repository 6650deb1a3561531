using System.Runtime.CompilerServices;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Queries;

/// <summary>Follows views as they change, for whoever shows them. It waits for the log, and then for the view to come as far: while nothing happens, nothing is asked. Safe for concurrent use.</summary>
public sealed class ViewWatch
{
    /// <summary>The most changes that come at once.</summary>
    public const int PageRows = 500;

    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);
    private readonly IGrainFactory _grains;
    private readonly LogTail _tail;
    private readonly TimeProvider _time;

    internal ViewWatch(IGrainFactory grains, LogTail tail, TimeProvider time) => (_grains, _tail, _time) = (grains, tail, time);

    /// <summary>
    /// The changes of a view behind a cursor, and those that come. Of a row that changes several times meanwhile the last state comes; a reader that keeps each row's last change has the view, as
    /// <see cref="IViewQueryGrain"/> answers it. The first answer to a reader without cursor has no changes, but the cursor to go on from.
    /// </summary>
    /// <param name="view">The view's name.</param>
    /// <param name="since">The cursor of the last change seen; null: from now on.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Pages of changes. It ends by itself where the program has no such view.</returns>
    /// <exception cref="RowQueryException">The cursor is none.</exception>
    /// <exception cref="LogUnavailableException">The store or the log could not answer; begin again behind the last change.</exception>
    public async IAsyncEnumerable<ViewChanges> WatchAsync(string view, string? since, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(view);
        var grain = _grains.GetGrain<IViewQueryGrain>(view);
        var (cursor, wait) = (since, ShortestWait);
        while (true)
        {
            // Asked before the read: what is written during it ends the wait.
            var head = _tail.Head.Value;
            if (await grain.ListChangesAsync(cursor, PageRows).WaitAsync(cancellationToken).ConfigureAwait(false) is not ViewAnswer<ViewChanges>(var page, var reflects))
            {
                yield break;
            }

            if (page.Changes.Count > 0 || page.IsReset || cursor is null)
            {
                yield return page;
            }

            // A view that stands still is asked less and less often.
            wait = page.Next != cursor ? ShortestWait : wait < LongestWait / 2 ? wait * 2 : LongestWait;
            cursor = page.Next;
            if (page.Changes.Count == PageRows)
            {
                continue;
            }

            if (reflects >= head)
            {
                await _tail.WaitAsync(new LogPosition(head), cancellationToken).ConfigureAwait(false);
                wait = ShortestWait;
            }

            await Task.Delay(wait, _time, cancellationToken).ConfigureAwait(false);
        }
    }
}
