using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>A whole run for programs: machine, command, every round of everybody, and the targets.</summary>
internal static class JsonReport
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true, Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    public static async Task WriteAsync(string path, Ground ground, string command, Results results, IReadOnlyList<Target.Outcome> targets, CancellationToken cancellationToken)
    {
        var report = new
        {
            At = TimeProvider.System.GetUtcNow(),
            Command = command,
            Machine = new { Cores = Environment.ProcessorCount, Processor = Processor(), System = RuntimeInformation.OSDescription, Runtime = RuntimeInformation.FrameworkDescription, Server = ground.ServerVersion },
            ground.Store,
            ground.Scale,
            Cases = results.Cases.Select(c => new
            {
                c.Case.Name,
                c.Case.Title,
                c.Skipped,
                Contenders = c.Entrants.Select(e => new
                {
                    e.Name,
                    e.Fault,
                    Figures = c.Quantities.Where(q => c.Find(e.Name, q) is not null).ToDictionary(q => q, q => new { Spread = c.Find(e.Name, q), Rounds = e.Rounds.Select(r => r[q]) }),
                }),
            }),
            Targets = targets.Select(t => new { t.Target.Case, t.Target.Text, t.Figure, t.Target.Direction, t.Target.Limit, t.Target.Aim, t.Verdict }),
        };
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        await File.WriteAllTextAsync(path, JsonSerializer.Serialize(report, Json) + "\n", cancellationToken);
    }

    private static string? Processor()
    {
        const string facts = "/proc/cpuinfo";
        return File.Exists(facts) ? File.ReadLines(facts).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() : null;
    }
}
