using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Commands;

/// <summary>
/// One run of one command in one grain: it numbers the events raised and the calls made, so that a second run of the same command gives the same ids.
/// Used on the grain's own scheduler only.
/// </summary>
internal sealed class CommandInvocation(CommandContext context)
{
    private static readonly AsyncLocal<CommandInvocation?> Ambient = new();
    private ReadOnlyMemory<byte> _metadata;
    private int _events;
    private int _calls;
    private int _executions;

    /// <summary>The run under way in this flow of control.</summary>
    public static CommandInvocation? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public CommandContext Context { get; } = context;

    public CommandId Command { get; } = new(context.Command);

    public ReadOnlyMemory<byte> Metadata => _metadata.IsEmpty ? _metadata = Context.ToMetadata().ToJson() : _metadata;

    public EventId NextEventId(StreamId stream) => EventId.Derive(Command, stream, _events++);

    /// <summary>Events that lost a conflict and are decided anew take the numbers of the first try.</summary>
    public void TakeBack(int events) => _events -= events;

    /// <summary>
    /// The run of the next decided command in this call. The first is this one; further ones have ids of their own, so that each finds its own first answer
    /// when the call is repeated.
    /// </summary>
    public CommandInvocation NextExecution() =>
        _executions++ == 0 ? this : new CommandInvocation(Context with { Command = Command.Nested("execution", _executions - 1).Value, ExpectedVersion = null });

    /// <summary>
    /// The context of the next call made from here: its own command id, derived from this one, so that two calls to one grain are two commands
    /// and a repeated run makes the same two.
    /// </summary>
    public CommandContext Nested(string target) => Context with
    {
        Command = Command.Nested(target, _calls++).Value,
        Correlation = Context.Correlation ?? Context.Command.ToString("D"),
        Causation = Context.Command.ToString("D"),
        RequestHash = null,
        ExpectedVersion = null,
    };
}
