using System.Text;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Log;

/// <content>What its rows would be, if it had tables.</content>
public sealed partial class InMemoryEventLog
{
    /// <inheritdoc/>
    public Task<IReadOnlyList<LogRow>> ReadLogRowsAsync(CancellationToken cancellationToken)
    {
        var (id, at) = (_logId.ToByteArray(bigEndian: true), HashLink.Microseconds(_createdAt));
        return Task.FromResult<IReadOnlyList<LogRow>>([new LogRow(1, id, at, RowSeal.OfLog(id, at))]);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<CommitRow> ReadCommitRowsAsync(CancellationToken cancellationToken) => Rows(() =>
    {
        var numbers = Numbers();
        return _commits.Select((c, i) => new CommitRow(
            c.Position.Value,
            i + 1,
            c.Count,
            HashLink.Microseconds(c.RecordedAt!.Value),
            c.Link,
            c.Marks,
            [.. _events.GetRange((int)c.Position.Value - 1, c.Count).Select((e, ordinal) => Row(e, ordinal, numbers[e.Stream]))]));
    });

    /// <inheritdoc/>
    public IAsyncEnumerable<StreamRow> ReadStreamRowsAsync(CancellationToken cancellationToken) => Rows(() => Numbers().Select(s =>
    {
        var (name, at) = (Encoding.UTF8.GetBytes(s.Key.Value), HashLink.Microseconds(_streams[s.Key][0].RecordedAt));
        return new StreamRow(s.Value, name, Encoding.UTF8.GetBytes(s.Key.Type), at, IsTouched: false, RowSeal.OfStream(s.Value, name, at));
    }));

    /// <inheritdoc/>
    public IAsyncEnumerable<EventPlace> ReadEventPlacesAsync(CancellationToken cancellationToken) => Rows(() =>
        from s in Numbers()
        from e in _streams[s.Key]
        let commit = _commits[CommitOf(e)]
        select new EventPlace(s.Value, e.Version.Value, CommitOf(e) + 1, e.Position.Value - commit.Position.Value, commit.Position.Value));

    private static EventRow Row(RecordedEvent e, int ordinal, long stream) =>
        new(stream, Encoding.UTF8.GetBytes(e.Stream.Value), e.Version.Value, ordinal, e.Id.Value.ToByteArray(bigEndian: true), Encoding.UTF8.GetBytes(e.Type), e.Schema, e.Data, e.Metadata);

    /// <summary>The streams by number, from 1 in the order in which they were made.</summary>
    private OrderedDictionary<StreamId, long> Numbers()
    {
        var numbers = new OrderedDictionary<StreamId, long>();
        foreach (var e in _events)
        {
            numbers.TryAdd(e.Stream, numbers.Count + 1);
        }

        return numbers;
    }

    private async IAsyncEnumerable<T> Rows<T>(Func<IEnumerable<T>> rows)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        List<T> copied;
        lock (_gate)
        {
            copied = [.. rows()];
        }

        foreach (var row in copied)
        {
            yield return row;
        }
    }
}
