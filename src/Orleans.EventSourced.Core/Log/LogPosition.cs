namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// The place of an event in the one total order of the log: 1, 2, 3 ... in commit order and without gaps; 0 is before everything.
/// </summary>
public readonly record struct LogPosition : IComparable<LogPosition>
{
    /// <param name="value">0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="value"/> is negative.</exception>
    public LogPosition(long value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        Value = value;
    }

    /// <summary>The place before the first event of the log.</summary>
    public static LogPosition Start => default;

    /// <summary>The number, 0 or more.</summary>
    public long Value { get; }

    /// <inheritdoc/>
    public int CompareTo(LogPosition other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Whether the left position comes before the right one.</summary>
    public static bool operator <(LogPosition left, LogPosition right) => left.Value < right.Value;

    /// <summary>Whether the left position comes after the right one.</summary>
    public static bool operator >(LogPosition left, LogPosition right) => left.Value > right.Value;

    /// <summary>Whether the left position is the right one or before it.</summary>
    public static bool operator <=(LogPosition left, LogPosition right) => left.Value <= right.Value;

    /// <summary>Whether the left position is the right one or after it.</summary>
    public static bool operator >=(LogPosition left, LogPosition right) => left.Value >= right.Value;

    /// <summary>The position <paramref name="count"/> events further on.</summary>
    public static LogPosition operator +(LogPosition position, long count) => new(checked(position.Value + count));
}
