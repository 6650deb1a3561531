using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// What a runner knows of its slice by its own commits, the one that is being written included, so that it need not read it again. It is true for as long as each of these commits is written: whoever
/// else changes rows or routes of the slice moves what guards the next one. After one that was not, or may not have been, it is thrown away. Not safe for concurrent use.
/// </summary>
internal sealed class KnownRows<TRow>(IViewTable<TRow> table, Slice slice)
    where TRow : class
{
    /// <summary>The most rows that are kept, and the most routes: those changed lately.</summary>
    public const int MaxKept = 2 * MaxYoung;

    /// <summary>The most rows, and the most routes, of a commit that is surely kept whole.</summary>
    public const int MaxYoung = 10_000;

    private readonly Generations<string, TRow> _rows = new(StringComparer.Ordinal);
    private readonly Generations<StreamId, ViewRoute> _routes = new(EqualityComparer<StreamId>.Default);

    /// <summary>The rows with these keys; those that are not there are left out.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    public Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken) =>
        _rows.ReadAsync(keys, unknown => table.ReadRowsAsync(unknown, cancellationToken));

    /// <summary>The routes of these streams; those that are not there are left out.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    public Task<IReadOnlyDictionary<StreamId, ViewRoute>> ReadRoutesAsync(IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken) =>
        _routes.ReadAsync(streams, unknown => table.ReadRoutesAsync(slice, unknown, cancellationToken));

    /// <summary>Takes over what a commit writes.</summary>
    public void Add(ViewCommit<TRow> commit)
    {
        foreach (var row in commit.Rows)
        {
            _rows.Set(row.Key, row.Row);
        }

        foreach (var route in commit.Routes)
        {
            _routes.Set(route.Stream, route.Route);
        }
    }

    /// <summary>Keeps what was set lately: when the young ones are many, they become the old ones, and the old ones go.</summary>
    private sealed class Generations<TKey, TValue>(IEqualityComparer<TKey> comparer)
        where TKey : notnull
        where TValue : class
    {
        private Dictionary<TKey, TValue?> _young = new(comparer);
        private Dictionary<TKey, TValue?> _old = new(comparer);

        public void Set(TKey key, TValue? value)
        {
            if (_young.Count >= MaxYoung && !_young.ContainsKey(key))
            {
                (_old, _young) = (_young, new Dictionary<TKey, TValue?>(comparer));
            }

            _young[key] = value;
        }

        public async Task<IReadOnlyDictionary<TKey, TValue>> ReadAsync(IReadOnlyCollection<TKey> keys, Func<IReadOnlyCollection<TKey>, Task<IReadOnlyDictionary<TKey, TValue>>> read)
        {
            var (found, unknown) = (new Dictionary<TKey, TValue>(keys.Count, comparer), new List<TKey>());
            foreach (var key in keys)
            {
                if (!_young.TryGetValue(key, out var value) && !_old.TryGetValue(key, out value))
                {
                    unknown.Add(key);
                }
                else if (value is not null)
                {
                    found.Add(key, value);
                }
            }

            if (unknown.Count > 0)
            {
                foreach (var (key, value) in await read(unknown).ConfigureAwait(false))
                {
                    found.Add(key, value);
                }
            }

            return found;
        }
    }
}
