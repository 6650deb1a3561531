using Orleans.EventSourced.Streams;

namespace Orleans.EventSourced.IntegrationTests.Streams;

/// <summary>What the followers of a test keep of a view, on whatever silo, with the cursor of the last change that they have done, as a database would have both. Safe for concurrent use.</summary>
public sealed class KeptRows
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Keeping> _kept = [];

    /// <summary>Happens before a follower takes a change; what it throws, the follower throws.</summary>
    public Action<string, StreamedViewChange> Before { get; set; } = (_, _) => { };

    /// <summary>The cursor of the last change that a follower has done; null: it has done none.</summary>
    public string? CursorOf(string follower) => Read(follower, k => k.Cursor);

    /// <summary>How often a follower was told to forget.</summary>
    public int ResetsOf(string follower) => Read(follower, k => k.Changes.Count(c => c.IsReset));

    /// <summary>All that a follower took, in order.</summary>
    public IReadOnlyList<StreamedViewChange> ChangesOf(string follower) => Read<IReadOnlyList<StreamedViewChange>>(follower, k => [.. k.Changes]);

    /// <summary>How many changes came at once, to those who take batches.</summary>
    public IReadOnlyList<int> BatchesOf(string follower) => Read<IReadOnlyList<int>>(follower, k => [.. k.Batches]);

    /// <summary>The rows that a follower has, by key.</summary>
    public IReadOnlyDictionary<string, (object Row, long Position)> RowsOf(string follower) => Read(follower, k => new Dictionary<string, (object, long)>(k.Rows));

    /// <summary>Puts a row among a follower's that no view has.</summary>
    public void Pretend(string follower, string key) => Read(follower, k => k.Rows[key] = ("nobody wrote this", 1));

    public void Arrived(string follower, int changes) => Read(follower, k =>
    {
        k.Batches.Add(changes);
        return 0;
    });

    public void Take(string follower, StreamedViewChange change)
    {
        Before(follower, change);
        Read(follower, k =>
        {
            if (change.IsReset)
            {
                k.Rows.Clear();
            }
            else if (change.Row is null)
            {
                k.Rows.Remove(change.Key);
            }
            else
            {
                k.Rows[change.Key] = (change.Row, change.Position);
            }

            k.Changes.Add(change);
            return k.Cursor = change.Cursor;
        });
    }

    private T Read<T>(string follower, Func<Keeping, T> read)
    {
        lock (_gate)
        {
            return read(_kept.TryGetValue(follower, out var kept) ? kept : _kept[follower] = new Keeping());
        }
    }

    private sealed class Keeping
    {
        public Dictionary<string, (object Row, long Position)> Rows { get; } = [];

        public List<StreamedViewChange> Changes { get; } = [];

        public List<int> Batches { get; } = [];

        public string? Cursor { get; set; }
    }
}
