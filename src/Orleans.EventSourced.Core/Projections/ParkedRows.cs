namespace Orleans.EventSourced.Core.Projections;

/// <summary>The rows of a slice that stand still at an event which their fold refuses, as they were when the slice was opened and by its commits since.</summary>
internal sealed class ParkedRows
{
    private readonly Dictionary<string, List<ParkedEvent>> _byKey = new(StringComparer.Ordinal);

    public ParkedRows(IEnumerable<ParkedEvent> parked) => Add(parked);

    public int Count => _byKey.Count;

    public IReadOnlyCollection<string> Keys => _byKey.Keys;

    /// <summary>The event that was refused first; null: no row is parked.</summary>
    public ParkedEvent? First => _byKey.Values.Select(w => w[0]).MinBy(r => r.Position);

    /// <summary>What waits for the row, the refused event first; none: it is not parked.</summary>
    public IReadOnlyList<ParkedEvent> Of(string key) => _byKey.TryGetValue(key, out var waiting) ? waiting : [];

    /// <summary>Lets further events wait, in the order of the log.</summary>
    public void Add(IEnumerable<ParkedEvent> parked)
    {
        foreach (var e in parked)
        {
            if (!_byKey.TryGetValue(e.Key, out var waiting))
            {
                _byKey.Add(e.Key, waiting = []);
            }

            waiting.Add(e);
        }
    }

    /// <summary>Lets these events alone wait for the row; none: it goes on.</summary>
    public void Replace(string key, IReadOnlyList<ParkedEvent> left)
    {
        _byKey.Remove(key);
        Add(left);
    }
}
