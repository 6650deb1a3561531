using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>What a case came to.</summary>
/// <param name="Case">The case.</param>
/// <param name="Entrants">Those who ran, in the order in which they did.</param>
/// <param name="Skipped">Why nobody ran; null: somebody did.</param>
internal sealed record CaseResult(ICase Case, IReadOnlyList<EntrantResult> Entrants, string? Skipped = null)
{
    public bool Failed => Entrants.Any(e => e.Fault is not null);

    /// <summary>The quantities that any of them has, in the order of the columns.</summary>
    public IEnumerable<Quantity> Quantities => Entrants.SelectMany(e => e.Rounds).SelectMany(r => r.Figures.Keys).Distinct().Order();

    /// <summary>One quantity of one entrant over its rounds; null: it was not measured.</summary>
    public Spread? Find(string entrant, Quantity quantity)
    {
        var figures = Entrants.Where(e => e.Name == entrant && e.Fault is null).SelectMany(e => e.Rounds).Where(r => r.Figures.ContainsKey(quantity)).Select(r => r[quantity]).ToList();
        return figures.Count == 0 ? null : Spread.Of(figures);
    }
}

/// <summary>What one who ran in a case came to.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Rounds">Its rounds.</param>
/// <param name="Fault">Why it did not get to the end; its rounds do not count then. Null: it did.</param>
internal sealed record EntrantResult(string Name, IReadOnlyList<Round> Rounds, string? Fault);

/// <summary>All cases of a run.</summary>
internal sealed record Results(IReadOnlyList<CaseResult> Cases)
{
    /// <summary>The median at one place; null: it was not measured.</summary>
    public double? Median(Cell cell) => Cases.FirstOrDefault(c => c.Case.Name == cell.Case)?.Find(cell.Entrant, cell.Quantity)?.Median;
}

/// <summary>A place in the results.</summary>
internal readonly record struct Cell(string Case, string Entrant, Quantity Quantity);
