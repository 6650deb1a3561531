using System.Text;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>A share of a view's rows, by key: one row belongs to one slice, and so to one runner.</summary>
public readonly record struct Slice
{
    /// <summary>The most slices of a view.</summary>
    public const int MaxCount = 64;

    private readonly int _count;

    /// <param name="index">0 to <paramref name="count"/> - 1.</param>
    /// <param name="count">1 to <see cref="MaxCount"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">One of them is out of range.</exception>
    public Slice(int index, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxCount);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, count);
        (Index, _count) = (index, count);
    }

    /// <summary>The one slice of a view that is not divided.</summary>
    public static Slice Whole => new(0, 1);

    /// <summary>The slice that the row with this key belongs to, of <paramref name="count"/>.</summary>
    public static Slice Of(string key, int count) => new((int)(HashOf(key) % (uint)count), count);

    /// <summary>Its number, from 0.</summary>
    public int Index { get; }

    /// <summary>How many slices the view has.</summary>
    public int Count => Math.Max(1, _count);

    /// <summary>
    /// Whether the row with this key belongs here: FNV-1a (32 bits, draft-eastlake-fnv) over the key's UTF-8, modulo <see cref="Count"/>. It may never change, because
    /// rows would change hands without their checkpoint.
    /// </summary>
    public bool Owns(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return Count == 1 || HashOf(key) % (uint)Count == (uint)Index;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Index}/{Count}");

    /// <summary>The hash that spreads keys over slices: FNV-1a, 32 bits, over the text's UTF-8. The same in every process, for ever.</summary>
    public static uint HashOf(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Span<byte> buffer = stackalloc byte[512];
        var bytes = Encoding.UTF8.TryGetBytes(text, buffer, out var length) ? buffer[..length] : Encoding.UTF8.GetBytes(text);
        var hash = 2_166_136_261u;
        foreach (var b in bytes)
        {
            hash = unchecked((hash ^ b) * 16_777_619u);
        }

        return hash;
    }
}
