using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>A case for people: one row a contender, medians with their extremes, and how many times the first contender, ours, is ahead of it by what ranks the case.</summary>
internal static class TableReport
{
    public static void Print(CaseResult result, TextWriter to)
    {
        to.WriteLine();
        to.WriteLine($"## {result.Case.Name}: {result.Case.Title}");
        to.WriteLine();
        if (result.Skipped is { } reason)
        {
            to.WriteLine($"Skipped: {reason}");
            return;
        }

        var quantities = result.Quantities.ToList();
        to.WriteLine($"| contender | {string.Join(" | ", quantities.Select(q => q.Title()))} | ratio |");
        to.WriteLine($"|---|{string.Concat(quantities.Select(_ => "---:|"))}---:|");
        foreach (var (name, _, fault) in result.Entrants)
        {
            if (fault is not null)
            {
                to.WriteLine($"| {name} | FAILED: {fault.ReplaceLineEndings(" ")} |");
                continue;
            }

            to.WriteLine($"| {name} | {string.Join(" | ", quantities.Select(q => result.Find(name, q)?.ToString(q.Format()) ?? ""))} | {Ratio(result, name)} |");
        }
    }

    private static string Ratio(CaseResult result, string name)
    {
        var ranks = result.Case.Ranks;
        if (result.Find(result.Entrants[0].Name, ranks)?.Median is not { } first || result.Find(name, ranks)?.Median is not { } its)
        {
            return "";
        }

        var ahead = ranks.MoreIsBetter() ? first / its : its / first;
        return ahead.ToString(ahead < 10 ? "0.00" : "N0", System.Globalization.CultureInfo.InvariantCulture);
    }
}
