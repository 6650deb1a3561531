namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>How a target's figure follows from the medians of a run; without one of those that it needs there is none.</summary>
internal abstract record Figure
{
    private Figure()
    {
    }

    public abstract double? Of(Results results);

    /// <summary>One median as it is.</summary>
    public sealed record Plain(Cell Cell) : Figure
    {
        public override double? Of(Results results) => results.Median(Cell);
    }

    /// <summary>How many times a median is another one; of several others, the largest.</summary>
    public sealed record Times(Cell Cell, params Cell[] Best) : Figure
    {
        public override double? Of(Results results)
        {
            var others = Best.Select(results.Median).ToList();
            return others.Any(o => o is null) ? null : results.Median(Cell) / others.Max();
        }
    }

    /// <summary>By how much a median is more than another one.</summary>
    public sealed record More(Cell Cell, Cell Than) : Figure
    {
        public override double? Of(Results results) => results.Median(Cell) - results.Median(Than);
    }

    /// <summary>The share of a median that another one lacks: 0.25 where it is a quarter less, 0 where it is not less.</summary>
    public sealed record Loss(Cell Cell, Cell From) : Figure
    {
        public override double? Of(Results results) => results.Median(Cell) is { } rest && results.Median(From) is { } whole ? Math.Max(0, 1 - (rest / whole)) : null;
    }
}
