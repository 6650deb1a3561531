using System.Globalization;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>What a figure is held against.</summary>
/// <param name="Case">The case by which it is found.</param>
/// <param name="Text">The figure in words.</param>
/// <param name="Figure">How it follows from the results.</param>
/// <param name="Limit">What it has to reach, or not to exceed.</param>
/// <param name="Direction">Which of the two.</param>
/// <param name="Aim">What would be better still; null: the limit is all.</param>
internal sealed record Target(string Case, string Text, Figure Figure, double Limit, Direction Direction, double? Aim = null)
{
    /// <summary>The target held against results.</summary>
    public Outcome Judge(Results results) => new(this, Figure.Of(results));

    private bool Holds(double figure, double limit) => Direction == Direction.AtLeast ? figure >= limit : figure <= limit;

    /// <summary>A target with what was measured.</summary>
    /// <param name="Target">The target.</param>
    /// <param name="Figure">The figure; null: its case was not measured in this run.</param>
    public sealed record Outcome(Target Target, double? Figure)
    {
        public Verdict Verdict => Figure is not { } figure ? Verdict.NotMeasured : Target.Holds(figure, Target.Limit) ? Verdict.Met : Verdict.Missed;

        public override string ToString()
        {
            var (word, sign) = (Verdict switch { Verdict.Met => "met", Verdict.Missed => "missed", _ => "not measured" }, Target.Direction == Direction.AtLeast ? "at least" : "at most");
            var aim = Target.Aim is { } a && Figure is { } f ? $" (aim {Number(a)}: {(Target.Holds(f, a) ? "reached" : "not reached")})" : "";
            return $"{word,-12} {Target.Case}: {Target.Text}: {(Figure is { } figure ? Number(figure) : "-")}, target {sign} {Number(Target.Limit)}{aim}";
        }

        private static string Number(double value) => value.ToString(Math.Abs(value) >= 1_000 ? "N0" : "0.###", CultureInfo.InvariantCulture);
    }
}

/// <summary>On which side of its limit a figure has to be.</summary>
internal enum Direction
{
    AtLeast,
    AtMost,
}

/// <summary>What became of a target.</summary>
internal enum Verdict
{
    Met,
    Missed,
    NotMeasured,
}
