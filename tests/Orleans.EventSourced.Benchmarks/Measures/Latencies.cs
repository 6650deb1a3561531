namespace Orleans.EventSourced.Benchmarks.Measures;

/// <summary>How long calls took, in milliseconds, in order.</summary>
internal sealed class Latencies
{
    private readonly double[] _sorted;

    /// <exception cref="InvalidOperationException">No call ended: there is nothing to tell.</exception>
    public Latencies(IEnumerable<double> milliseconds)
    {
        _sorted = [.. milliseconds.Order()];
        if (_sorted.Length == 0)
        {
            throw new InvalidOperationException("Not one call ended in the time of the round.");
        }
    }

    public int Count => _sorted.Length;

    public double P50 => At(50);

    public double P99 => At(99);

    private double At(int percent) => _sorted[Math.Min(_sorted.Length - 1, (int)((long)_sorted.Length * percent / 100))];
}
