using System.Globalization;

namespace Orleans.EventSourced.Benchmarks.Measures;

/// <summary>One quantity over the rounds: the middle one, and how far they lie apart.</summary>
/// <param name="Median">The middle round's figure; of an even number, the lower of the two in the middle.</param>
/// <param name="Least">The smallest figure.</param>
/// <param name="Most">The largest figure.</param>
internal readonly record struct Spread(double Median, double Least, double Most)
{
    /// <exception cref="ArgumentException">There is no figure.</exception>
    public static Spread Of(IEnumerable<double> figures)
    {
        var sorted = figures.Order().ToList();
        return sorted.Count > 0 ? new Spread(sorted[(sorted.Count - 1) / 2], sorted[0], sorted[^1]) : throw new ArgumentException("A spread is over one figure at least.", nameof(figures));
    }

    /// <summary>The median, with the extremes where they differ from it.</summary>
    public string ToString(string format)
    {
        var (median, least, most) = (Median.ToString(format, CultureInfo.InvariantCulture), Least.ToString(format, CultureInfo.InvariantCulture), Most.ToString(format, CultureInfo.InvariantCulture));
        return least == most ? median : $"{median} ({least}–{most})";
    }
}
