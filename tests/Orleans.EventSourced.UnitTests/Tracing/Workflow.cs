using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Tracing;

namespace Orleans.EventSourced.UnitTests.Tracing;

/// <summary>Rows of a workflow, as a test tells them: what is made later is further in the log.</summary>
internal sealed class Workflow
{
    private static readonly DateTimeOffset Begin = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly Dictionary<string, int> _versions = new(StringComparer.Ordinal);

    public List<KeyedRow<TraceRow>> Rows { get; } = [];

    public static Guid Command(int number) => new($"00000000-0000-8000-8000-0000000c{number:x4}");

    public static string C(int number) => Command(number).ToString("D");

    public static string E(int position) => new Guid($"00000000-0000-8000-8000-000000e{position:x5}").ToString("D");

    /// <summary>An event, its position's number of seconds behind the beginning.</summary>
    public Workflow Event(int command, string? because = null, string type = "happened", string stream = "thing/a", Func<TraceRow, TraceRow>? more = null)
    {
        var position = Rows.Count + 1;
        var row = new TraceRow
        {
            Correlation = "w",
            Causation = because,
            Command = Command(command),
            Stream = stream,
            Version = _versions[stream] = _versions.GetValueOrDefault(stream) + 1,
            Type = type,
            RecordedAt = Begin.AddSeconds(position),
        };
        Rows.Add(new KeyedRow<TraceRow> { Key = E(position), Position = position, Row = more?.Invoke(row) ?? row });
        return this;
    }

    /// <summary>An event of a session.</summary>
    public Workflow Said(int command, string type, int mutation, string? code = null, string? detail = null, string? because = null) =>
        Event(command, because, type, "es-session/s", row => row with { Mutation = Command(mutation), Code = code, Detail = detail, Actor = "someone", Origin = "http" });

    public Trace Trace(int maxNodes = 10_000) => TraceTree.Of("w", Rows, maxNodes, isCut: false);

    /// <summary>The tree as text, a line a node, indented by its depth.</summary>
    public string[] Lines(int maxNodes = 10_000) => [.. Trace(maxNodes).Nodes.Select(Line)];

    private static string Line(TraceNode node)
    {
        var (id, after) = (node.Id.Length == 36 ? node.Id[^6..].TrimStart('0') : node.Id, node.After is { } time ? $" +{time.TotalSeconds}" : "");
        return new string(' ', node.Depth) + node switch
        {
            TraceNode.Command c => $"{(c.IsCycle ? "cycle " : "")}{id} {c.State}{(c.Code is null ? "" : $" {c.Code}: {c.Detail}")}{(c.Name is null ? "" : $" {c.Name}@{c.Target}")}{after}",
            TraceNode.Event e => $"{id} {e.Type} {e.Stream}:{e.Version}{after}",
            _ => $"gap {id}",
        };
    }
}
