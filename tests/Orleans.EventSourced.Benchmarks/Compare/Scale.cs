namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>How long everything is measured.</summary>
/// <param name="Rounds">How many rounds each contender has, in alternation.</param>
/// <param name="WarmUp">How long the warm-up lasts.</param>
/// <param name="Time">How long a round lasts.</param>
/// <param name="Steady">How long a round at a steady rate lasts.</param>
/// <param name="HeldSnapshot">How long a snapshot is held open on the server.</param>
/// <param name="Fines">How many fines of the log are folded and imported; <see cref="int.MaxValue"/>: all.</param>
/// <param name="ColdEvents">How many events the cold streams of one length have together, at most.</param>
internal sealed record Scale(int Rounds, TimeSpan WarmUp, TimeSpan Time, TimeSpan Steady, TimeSpan HeldSnapshot, int Fines, int ColdEvents)
{
    /// <summary>For figures to quote.</summary>
    public static Scale Full { get; } = new(3, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(60), int.MaxValue, 200_000);

    /// <summary>To see that everything works; the figures are of cold code.</summary>
    public static Scale Quick { get; } = new(1, TimeSpan.FromSeconds(0.3), TimeSpan.FromSeconds(0.7), TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(3), 5_000, 20_000);
}
