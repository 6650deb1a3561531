using System.CommandLine;

namespace Fines.Host;

/// <summary>What the program does besides serving: <c>import FILE</c>, <c>generate N</c>, <c>verify</c>, and questions to the past.</summary>
internal static class Verbs
{
    /// <summary>The exit code of a verb whose input is wrong.</summary>
    public const int BadInput = 2;

    private const int MaxParallel = 10_000;

    public static IReadOnlySet<string> Names { get; } = new HashSet<string>(StringComparer.Ordinal) { "import", "generate", "what-if", "as-of", "verify", "--help", "-h", "-?", "--version" };

    public static Task<int> RunAsync(string[] args)
    {
        var parallel = new Option<int>("--parallel") { Description = "How many fines are worked on at a time.", DefaultValueFactory = _ => 1_024 };
        parallel.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int>() is < 1 or > MaxParallel)
            {
                r.AddError($"--parallel is 1 to {MaxParallel}.");
            }
        });
        var json = new Option<bool>("--json") { Description = "Print the figures as one JSON object." };
        var file = new Argument<string>("FILE") { Description = "An event log of traffic fines in XES, plain or gzipped." };
        var import = new Command("import", "Sends every event of a file as a command through the fines' grains. It can be run again: nothing is done twice.") { file, parallel, json };
        import.SetAction((r, cancel) => Import.RunAsync(XesReader.Read(r.GetRequiredValue(file)), new ImportOptions(r.GetValue(parallel), r.GetValue(json), null), cancel));

        var count = new Argument<int>("N") { Description = "How many fines to make, 1 to 10,000,000." };
        count.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int>() is < 1 or > 10_000_000)
            {
                r.AddError("N is 1 to 10,000,000.");
            }
        });
        var generate = new Command("generate", "Makes N fines with the proportions of a real city's, and sends them like an import.") { count, parallel, json };
        generate.SetAction((r, cancel) => Import.RunAsync(FineGenerator.Generate(r.GetValue(count)), new ImportOptions(r.GetValue(parallel), r.GetValue(json), r.GetValue(count)), cancel));

        var root = new RootCommand("A node of the traffic fines' cluster. Without a verb it serves HTTP on http://localhost:5080 (--urls to change it).") { import, generate, Verify.Command() };
        foreach (var verb in HistoryVerbs.All())
        {
            root.Subcommands.Add(verb);
        }

        return root.Parse(args).InvokeAsync();
    }

    /// <summary>Says why a verb did not do its work. The result is the exit code.</summary>
    public static async Task<int> FailAsync(string message, int code)
    {
        await Console.Error.WriteLineAsync(message);
        return code;
    }
}
