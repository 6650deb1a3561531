using System.Diagnostics;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Commands;

/// <summary>
/// What travels with a call and ends in the metadata of the events it makes: which command it is, for whom, and because of what. It flows
/// in Orleans' <see cref="RequestContext"/>; set it with <see cref="Begin"/> around the grain call.
/// </summary>
/// <param name="Command">The id of the command.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.CommandContext")]
public sealed record CommandContext([property: Id(0)] Guid Command)
{
    private const string Key = "orleans.eventsourced.command";
    private static readonly AsyncLocal<bool> Begun = new();

    /// <summary>
    /// Whether the caller chose the id, so that it may send the command again under it. Only then does a grain look for a first answer before it
    /// answers a refusal.
    /// </summary>
    [Id(1)]
    public bool IsNamed { get; init; }

    /// <summary>The id of the workflow; null: the command begins one, named after itself.</summary>
    [Id(2)]
    public string? Correlation { get; init; }

    /// <summary>The id of the event or command that caused this one; null where a workflow begins.</summary>
    [Id(3)]
    public string? Causation { get; init; }

    /// <summary>The authenticated principal. Whoever sets it vouches for it: never take it from a header.</summary>
    [Id(4)]
    public string? Actor { get; init; }

    /// <summary>Why, in the caller's words.</summary>
    [Id(5)]
    public string? Reason { get; init; }

    /// <summary>The kind of source: <c>http</c>, <c>import</c>.</summary>
    [Id(6)]
    public string? Origin { get; init; }

    /// <summary>The W3C trace context; null: that of the activity in which the context is set, because an activity does not travel into the grain by itself.</summary>
    [Id(7)]
    public string? TraceParent { get; init; }

    /// <summary>A digest of the command's content: the same id with another digest is refused as a reuse.</summary>
    [Id(8)]
    public string? RequestHash { get; init; }

    /// <summary>The version that the caller expects the stream to have (<c>If-Match</c>); null: none in particular.</summary>
    [Id(9)]
    public int? ExpectedVersion { get; init; }

    /// <summary>The context of the call under way; null when it has none.</summary>
    public static CommandContext? Current => RequestContext.Get(Key) as CommandContext;

    /// <summary>Makes <paramref name="context"/> that of the calls that follow, until the result is disposed.</summary>
    public static Scope Begin(CommandContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var (before, begunBefore) = (Current, Begun.Value);
        Begun.Value = true;
        RequestContext.Set(Key, context.TraceParent is null && CurrentTraceParent is { } current ? context with { TraceParent = current } : context);
        return new Scope(before, begunBefore);
    }

    /// <summary>Whether <see cref="Current"/> was set by <see cref="Begin"/> in this flow of control, not brought by a call: unlike the request context this does not travel.</summary>
    internal static bool IsSetHere => Begun.Value;

    private static string? CurrentTraceParent => Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.Id : null;

    internal static void Replace(CommandContext? context)
    {
        if (context is null)
        {
            RequestContext.Remove(Key);
        }
        else
        {
            RequestContext.Set(Key, context);
        }
    }

    internal EventMetadata ToMetadata() => new(
        new CommandId(Command),
        Correlation ?? Command.ToString("D"),
        Causation,
        Actor,
        Reason,
        Origin,
        TraceParent ?? CurrentTraceParent,
        RequestHash);

    /// <summary>Restores the context that was before, when disposed.</summary>
    public readonly struct Scope : IDisposable
    {
        private readonly CommandContext? _before;
        private readonly bool _begunBefore;

        internal Scope(CommandContext? before, bool begunBefore) => (_before, _begunBefore) = (before, begunBefore);

        /// <summary>Restores the context that was before.</summary>
        public void Dispose()
        {
            Replace(_before);
            Begun.Value = _begunBefore;
        }
    }
}
