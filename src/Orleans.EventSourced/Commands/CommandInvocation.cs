using Orleans.EventSourced.Core.Events;

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
    private CommandInvocation? _raising;

    /// <summary>The run under way in this flow of control.</summary>
    public static CommandInvocation? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public CommandContext Context { get; } = context;

    public CommandId Command { get; } = new(context.Command);

    /// <summary>The key of the grain that runs it, if that lives on a branch: what it does outside its turns is still done there. Null: it is on the trunk.</summary>
    public string? OnBranch { get; init; }

    public ReadOnlyMemory<byte> Metadata => _metadata.IsEmpty ? _metadata = Context.ToMetadata().ToJson() : _metadata;

    public EventId NextEventId(StreamId stream) => EventId.Derive(Command, stream, _events++);

    /// <summary>How many events have been numbered.</summary>
    public int Numbered => _events;

    /// <summary>Events that lost a conflict and are tried anew take the numbers of the first try.</summary>
    public void TakeBack(int events) => _events -= events;

    /// <summary>
    /// The run whose events a grain raises beside the commands it executes: with ids of their own, so that the first answer of an executed command, which numbers no events, does
    /// not move them.
    /// </summary>
    public CommandInvocation Raising => _raising ??= Derived("raised", 0);

    /// <summary>
    /// The run of the next decided command in this call. The first is this one; further ones have ids of their own, so that each finds its own first answer
    /// when the call is repeated.
    /// </summary>
    public CommandInvocation NextExecution() =>
        _executions++ == 0 ? this : Derived("execution", _executions - 1);

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

    /// <summary>A part of this command with event ids of its own, in the same workflow.</summary>
    private CommandInvocation Derived(string part, int number) => new(Context with
    {
        Command = Command.Nested(part, number).Value,
        Correlation = Context.Correlation ?? Context.Command.ToString("D"),
        ExpectedVersion = null,
    });
}
