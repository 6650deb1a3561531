using System.Globalization;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Tracing;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>Workflows over HTTP, for operators. <c>GET trace/ID</c>, with a correlation or the id of an event or a command, answers the tree of the workflow at once; <c>ES-Position</c> says how far it is known.</summary>
internal static class TraceEndpoints
{
    public static void Map(RouteGroupBuilder group) => group.MapGet("trace/{**id}", GetAsync).Produces<TraceAnswer>().ProducesProblem(400).ProducesProblem(404).ProducesProblem(503);

    private static async Task<IResult> GetAsync(string? id, HttpContext http)
    {
        if (http.RequestServices.GetService<Traces>() is not { } traces)
        {
            return CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-trace", "This program keeps no traces: AddTrace does it.");
        }

        // The server leaves this one escape in the path.
        var asked = id?.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        var (trace, reflects) = await traces.FindAsync(string.IsNullOrEmpty(asked) ? throw new BadCommandException("id", "A correlation, or the id of an event or a command, is needed.") : asked, http.RequestAborted);
        http.Response.Headers[CommandAnswer.PositionHeader] = reflects.ToString(CultureInfo.InvariantCulture);
        return trace is null
            ? CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-such-workflow", $"Up to position {reflects} nothing is known of '{asked}': no workflow, no event, no command.", new() { ["position"] = reflects })
            : Results.Ok(new TraceAnswer(trace.Correlation, reflects, trace.BeganAt, trace.EndedAt, trace.IsTruncated, traces.MaxNodes, [.. trace.Nodes.Select(TraceNodeAnswer.From)], [.. trace.Gaps.Select(g => new TraceGapAnswer(g.Id, g.Commands, g.Correlation))]));
    }
}

/// <summary>A workflow.</summary>
/// <param name="Correlation">Its id.</param>
/// <param name="Position">Every event up to it is in the answer.</param>
/// <param name="BeganAt">When its first event was recorded.</param>
/// <param name="EndedAt">When its last event was recorded.</param>
/// <param name="Truncated">There is more than is shown; a gap may be what was left out.</param>
/// <param name="Limit">The most nodes that are shown.</param>
/// <param name="Nodes">The tree: each node behind its parent and all that hangs on the parent's earlier children.</param>
/// <param name="Gaps">The causes that are not known.</param>
public sealed record TraceAnswer(
    string Correlation, long Position, DateTimeOffset? BeganAt, DateTimeOffset? EndedAt, bool Truncated, int Limit, IReadOnlyList<TraceNodeAnswer> Nodes, IReadOnlyList<TraceGapAnswer> Gaps);

/// <summary>A node of a workflow's tree. What it has no value for is left out.</summary>
/// <param name="Kind"><c>command</c>, <c>event</c>, or <c>gap</c>: a cause that is not known.</param>
/// <param name="Id">The id of the command or event, or the cause as it was named.</param>
/// <param name="Parent">The node that it hangs on; null: none.</param>
/// <param name="Depth">How many nodes are above it.</param>
public sealed record TraceNodeAnswer(string Kind, string Id, string? Parent, int Depth)
{
    /// <summary>When it was recorded; of a command its first event, or its refusal.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? At { get; init; }

    /// <summary>How many seconds that was behind its parent, to the microsecond.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? After { get; init; }

    /// <summary>Of an event: its stream.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Stream { get; init; }

    /// <summary>Of an event: its place in the stream.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Version { get; init; }

    /// <summary>Of an event: the registered name of its type.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Type { get; init; }

    /// <summary>Of an event: its place in the log.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Position { get; init; }

    /// <summary>Of a command: <c>accepted</c>, <c>rejected</c>, <c>requested</c> while it waits in its session, or <c>unknown</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? State { get; init; }

    /// <summary>Of a command: how many events it made in this workflow.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Events { get; init; }

    /// <summary>Of a command that was asked for through a session: its registered name.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Command { get; init; }

    /// <summary>Of a command that was asked for through a session: the key of the entity.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Target { get; init; }

    /// <summary>Of a command: why it was refused, for programs.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Code { get; init; }

    /// <summary>Of a command: why it was refused, or why nobody knows, for people.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Detail { get; init; }

    /// <summary>On whose behalf; a reaction is <c>reaction:NAME</c>, a deadline <c>deadline:NAME</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Actor { get; init; }

    /// <summary>Why, in the caller's words.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    /// <summary>The kind of source.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Origin { get; init; }

    /// <summary>Of a command: its chain of causes leads back to it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Cycle { get; init; }

    internal static TraceNodeAnswer From(TraceNode node)
    {
        var answer = new TraceNodeAnswer("gap", node.Id, node.Parent, node.Depth) { At = node.At, After = node.After?.TotalSeconds, Actor = node.Actor, Reason = node.Reason, Origin = node.Origin };
        return node switch
        {
            TraceNode.Command c => answer with { Kind = "command", State = NameOf(c.State), Events = c.Events, Command = c.Name, Target = c.Target, Code = c.Code, Detail = c.Detail, Cycle = c.IsCycle },
            TraceNode.Event e => answer with { Kind = "event", Stream = e.Stream, Version = e.Version, Type = e.Type, Position = e.Position },
            TraceNode.Gap => answer,
            _ => throw new InvalidOperationException($"'{node}' is no node of a trace."),
        };
    }

    private static string NameOf(TraceState state) => state switch
    {
        TraceState.Accepted => "accepted",
        TraceState.Rejected => "rejected",
        TraceState.Requested => "requested",
        TraceState.Unknown => "unknown",
        _ => throw new InvalidOperationException($"'{state}' is no state of a command."),
    };
}

/// <summary>A cause that is not known in the workflow.</summary>
/// <param name="Id">What was named as the cause.</param>
/// <param name="Commands">The commands that hang on it.</param>
/// <param name="Correlation">The workflow in which the log has it; null: in none, as far as it was looked for.</param>
public sealed record TraceGapAnswer(string Id, IReadOnlyList<string> Commands, string? Correlation);
