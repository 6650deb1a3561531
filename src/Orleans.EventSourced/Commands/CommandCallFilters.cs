using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.LogConsistency;

namespace Orleans.EventSourced.Commands;

/// <summary>Opens a <see cref="CommandInvocation"/> for each call that is, or becomes, a command; and stops calls to a grain whose state could not be loaded.</summary>
internal sealed class IncomingCommandFilter(TimeProvider time) : IIncomingGrainCallFilter
{
    public Task Invoke(IIncomingGrainCallContext context)
    {
        var command = CommandContext.Current;
        var adaptor = context.TargetContext.GetComponent<IEventLogViewAdaptor>();
        if (command is null && adaptor is null)
        {
            return context.Invoke();
        }

        adaptor?.ThrowIfOutOfService();
        return InvokeAsync(context, command ?? new CommandContext(CommandId.New(time).Value));
    }

    private static async Task InvokeAsync(IIncomingGrainCallContext context, CommandContext command)
    {
        CommandInvocation.Current = new CommandInvocation(command);
        await context.Invoke();
    }
}

/// <summary>Gives each call that a command makes a command id of its own; see <see cref="CommandInvocation.Nested"/>.</summary>
internal sealed class OutgoingCommandFilter : IOutgoingGrainCallFilter
{
    public Task Invoke(IOutgoingGrainCallContext context) =>
        CommandInvocation.Current is { } invocation && context.SourceContext is not null ? InvokeAsync(context, invocation) : context.Invoke();

    private static async Task InvokeAsync(IOutgoingGrainCallContext context, CommandInvocation invocation)
    {
        // A caller that set a context of its own for this call, inside the command, means it.
        if (CommandContext.Current is { } set && set != invocation.Context)
        {
            await context.Invoke();
            return;
        }

        using (CommandContext.Begin(invocation.Nested(context.TargetId.ToString())))
        {
            await context.Invoke();
        }
    }
}
