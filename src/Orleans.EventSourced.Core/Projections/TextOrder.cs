namespace Orleans.EventSourced.Core.Projections;

/// <summary>The order of keys and texts in every table: by code points, as that of their bytes in UTF-8 is. That of their UTF-16 units differs: it puts what lies beyond U+FFFF before U+E000.</summary>
internal static class TextOrder
{
    /// <summary>Compares two well-formed texts.</summary>
    public static int Compare(string one, string other)
    {
        var same = one.AsSpan().CommonPrefixLength(other);
        return same == one.Length || same == other.Length ? one.Length.CompareTo(other.Length) : Rank(one[same]).CompareTo(Rank(other[same]));
    }

    private static int Rank(char unit) => char.IsSurrogate(unit) ? unit + char.MaxValue : unit;
}
