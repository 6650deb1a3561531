using System.CommandLine;
using System.Globalization;
using Orleans.EventSourced.Benchmarks.Cases;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>The verb <c>compare</c>: ours and what a user would pick instead, on the same server, on the same work, in one run.</summary>
internal static class CompareVerb
{
    private const int Failed = 1;
    private const int TargetMissed = 3;
    private const string DefaultOutput = "artifacts/benchmarks/compare.json";

    public static Command Create(Option<string> store, Option<bool> quick)
    {
        var only = new Option<string[]>("--only") { Description = "Only these cases; a name may end with *.", AllowMultipleArgumentsPerToken = true };
        only.Validators.Add(r =>
        {
            foreach (var name in (r.GetValueOrDefault<string[]>() ?? []).Where(n => !AllCases.InOrder.Any(c => Matches(n, c.Name))))
            {
                r.AddError($"There is no case '{name}'. There are: {string.Join(", ", AllCases.InOrder.Select(c => c.Name))}.");
            }
        });
        var output = new Option<string>("--output") { Description = "Where the JSON goes.", DefaultValueFactory = _ => DefaultOutput };
        var verb = new Command("compare", "Ours and its peers, case by case, in alternating rounds, then the targets. Exit code 3: a target was missed; 1: a case failed.") { store, quick, only, output };
        verb.SetAction((r, cancel) => RunAsync(r.GetValue(store)!, r.GetValue(quick), r.GetValue(only) ?? [], r.GetValue(output)!, cancel));
        return verb;
    }

    /// <summary>Runs cases without targets, for verbs of one case.</summary>
    public static async Task<int> RunAsync(string store, Scale scale, IReadOnlyList<ICase> cases, CancellationToken cancellationToken)
    {
        await using var ground = await Ground.StartAsync(store, scale, cancellationToken);
        Console.WriteLine($"{store}; {ground.ServerVersion}; {Environment.ProcessorCount} cores; medians of {scale.Rounds} rounds");
        var results = await new Comparison(ground).RunAsync(cases, c => TableReport.Print(c, Console.Out), cancellationToken);
        return results.Cases.Any(c => c.Failed) ? Failed : 0;
    }

    private static async Task<int> RunAsync(string store, bool quick, string[] only, string output, CancellationToken cancellationToken)
    {
        var (scale, cases) = (quick ? Scale.Quick : Scale.Full, AllCases.InOrder.Where(c => only.Length == 0 || only.Any(n => Matches(n, c.Name))).ToList());
        await using var ground = await Ground.StartAsync(store, scale, cancellationToken);
        Console.WriteLine($"Ours on {store}; {ground.ServerVersion}; {Environment.ProcessorCount} cores; medians (least–most) of {scale.Rounds.ToString(CultureInfo.InvariantCulture)} rounds; ratio: how far ours is ahead");
        var results = await new Comparison(ground).RunAsync(cases, c => TableReport.Print(c, Console.Out), cancellationToken);
        var outcomes = Targets.On(store).Where(t => cases.Any(c => c.Name == t.Case)).Select(t => t.Judge(results)).ToList();
        await JsonReport.WriteAsync(output, ground, $"compare --store {store}{(quick ? " --quick" : "")}{(only.Length > 0 ? " --only " + string.Join(' ', only) : "")}", results, outcomes, cancellationToken);
        Console.WriteLine();
        Console.WriteLine($"All rounds: {output}");
        Console.WriteLine();
        foreach (var outcome in outcomes)
        {
            Console.WriteLine(outcome);
        }

        return results.Cases.Any(c => c.Failed) ? Failed : outcomes.Any(o => o.Verdict == Verdict.Missed) ? TargetMissed : 0;
    }

    private static bool Matches(string pattern, string name) => pattern.EndsWith('*') ? name.StartsWith(pattern[..^1], StringComparison.Ordinal) : name == pattern;
}
