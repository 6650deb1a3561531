namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// The number of an event within its stream: 1, 2, 3 ... without gaps; 0 is the stream before its first event.
/// </summary>
public readonly record struct StreamVersion : IComparable<StreamVersion>
{
    /// <param name="value">0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="value"/> is negative.</exception>
    public StreamVersion(int value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        Value = value;
    }

    /// <summary>The stream before its first event.</summary>
    public static StreamVersion None => default;

    /// <summary>The number, 0 or more.</summary>
    public int Value { get; }

    /// <inheritdoc/>
    public int CompareTo(StreamVersion other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Whether the left version comes before the right one.</summary>
    public static bool operator <(StreamVersion left, StreamVersion right) => left.Value < right.Value;

    /// <summary>Whether the left version comes after the right one.</summary>
    public static bool operator >(StreamVersion left, StreamVersion right) => left.Value > right.Value;

    /// <summary>Whether the left version is the right one or before it.</summary>
    public static bool operator <=(StreamVersion left, StreamVersion right) => left.Value <= right.Value;

    /// <summary>Whether the left version is the right one or after it.</summary>
    public static bool operator >=(StreamVersion left, StreamVersion right) => left.Value >= right.Value;

    /// <summary>The version <paramref name="count"/> events further on.</summary>
    public static StreamVersion operator +(StreamVersion version, int count) => new(checked(version.Value + count));
}
