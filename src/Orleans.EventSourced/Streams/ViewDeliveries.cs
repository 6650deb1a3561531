using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Queries;
using Orleans.Streams;

namespace Orleans.EventSourced.Streams;

/// <summary>The changes of one view, from the rows and tombstones that are read for the feed over HTTP too.</summary>
/// <param name="stream">Which view.</param>
/// <param name="cursor">Where it stands; null: at the end, as it is at the first read.</param>
/// <param name="source">The views.</param>
internal sealed class ViewDeliveries(ViewStream stream, string? cursor, ViewStreamSource source) : IDeliveries
{
    private const int MaxBytes = 1024 * 1024;
    private string? _cursor = cursor;
    private IAsyncEnumerator<ViewChanges>? _pages;
    private IReadOnlyList<ViewChange> _page = [];
    private int _index;
    private bool _isChecked;
    private bool _isForeign;

    public string Place => _cursor ?? "the end";

    public async Task<IBatchContainer> NextAsync(CancellationToken stop)
    {
        await CheckAsync(stop);
        while (_index == _page.Count)
        {
            var page = await PageAsync(stop);
            if (page.IsReset || (_isForeign && page.Changes.Count == 0))
            {
                return await ResetAsync(page);
            }

            (_page, _index, _cursor) = (page.Changes, 0, page.Next);
        }

        return new ViewStreamBatch(stream.Id, [.. Take()]);
    }

    /// <summary>A place beyond the end of the log is of another log, or of what was in it before it went back, as from a backup: rows may differ below any position, as those of another table do.</summary>
    private async Task CheckAsync(CancellationToken stop)
    {
        if (!_isChecked && _cursor is not null && RowCursor.Parse(_cursor).Position > (await source.Tail.ReadHeadAsync(stop)).Position)
        {
            (_cursor, _isForeign) = (null, true);
        }

        _isChecked = true;
    }

    private async Task<ViewChanges> PageAsync(CancellationToken stop)
    {
        _pages ??= source.Watch.WatchAsync(stream.View, _cursor, stop).GetAsyncEnumerator(stop);
        try
        {
            return await _pages.MoveNextAsync() ? _pages.Current : throw new InvalidOperationException($"This program does not know the view of stream {stream}.");
        }
        catch
        {
            // Those that failed have ended: the next try asks anew, at the same place.
            _pages = null;
            throw;
        }
    }

    /// <summary>What is behind it is the whole of the table that is there now.</summary>
    private async Task<ViewStreamBatch> ResetAsync(ViewChanges page)
    {
        await _pages!.DisposeAsync();
        (_pages, _isForeign) = (null, false);
        _cursor = (RowCursor.Parse(page.Next) with { Position = LogPosition.Start }).ToString();
        return new ViewStreamBatch(stream.Id, [new StreamedViewChange("", 0, _cursor, null) { IsReset = true }]);
    }

    private List<StreamedViewChange> Take()
    {
        var changes = new List<StreamedViewChange>();
        for (var bytes = 0; _index < _page.Count; _index++)
        {
            var change = _page[_index];
            bytes += change.Row is null ? 0 : source.Serializer.SerializeToArray(change.Row).Length;
            if (bytes > MaxBytes && changes.Count > 0)
            {
                break;
            }

            changes.Add(new StreamedViewChange(change.Key, change.Position, change.Cursor, change.Row));
        }

        return changes;
    }
}
