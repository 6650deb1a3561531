using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.History;
using Orleans.EventSourced.LogConsistency;

namespace Orleans.EventSourced.Commands;

/// <summary>Opens a <see cref="CommandInvocation"/> for each call that is, or becomes, a command; and stops calls to a grain whose state could not be loaded.</summary>
internal sealed class IncomingCommandFilter(TimeProvider time) : IIncomingGrainCallFilter
{
    public Task Invoke(IIncomingGrainCallContext context)
    {
        var command = CommandContext.Current;
        var adaptor = context.TargetContext.GetComponent<IEventLogViewAdaptor>();
        if (adaptor is null && BranchKey.IsOnBranch(context.TargetContext.GrainId))
        {
            throw new BranchIsolationException($"'{context.TargetContext.GrainId}' is no EventSourcedGrain; only these live on branches.");
        }

        if (command is null && adaptor is null)
        {
            return context.Invoke();
        }

        adaptor?.ThrowIfOutOfService();
        command ??= new CommandContext(CommandId.New(time).Value);
        if (adaptor is { Branch: not null })
        {
            return InvokeOnBranchAsync(context, command, adaptor);
        }

        // Orleans calls a filter from an async method of each call, out of which this does not flow: one of its own here would cost every command.
        CommandInvocation.Current = new CommandInvocation(command);
        return context.Invoke();
    }

    private static async Task InvokeOnBranchAsync(IIncomingGrainCallContext context, CommandContext command, IEventLogViewAdaptor adaptor)
    {
        await adaptor.ThrowIfNotOnBranchAsync();
        CommandInvocation.Current = new CommandInvocation(command) { OnBranch = context.TargetContext.GrainId.Key.ToString() };
        await context.Invoke();
    }
}

/// <summary>Gives each call that a command makes, or that a grain makes while it is activated for one, a command id of its own; see <see cref="CommandInvocation.Nested"/>.</summary>
internal sealed class OutgoingCommandFilter : IOutgoingGrainCallFilter
{
    public Task Invoke(IOutgoingGrainCallContext context) => Own(context) is { } own ? InvokeAsync(context, own) : context.Invoke();

    private static async Task InvokeAsync(IOutgoingGrainCallContext context, CommandContext own)
    {
        using (CommandContext.Begin(own))
        {
            await context.Invoke();
        }
    }

    /// <summary>The call's own context; null: it goes as it is. A caller that set a context for the call itself means it.</summary>
    private static CommandContext? Own(IOutgoingGrainCallContext context)
    {
        if (context.SourceContext is not { } source)
        {
            return null;
        }

        var set = CommandContext.Current;
        if (CommandInvocation.Current is { } invocation)
        {
            return set is null || set == invocation.Context ? invocation.Nested(context.TargetId.ToString()) : null;
        }

        // Orleans activates a grain under the request context of the call that it is activated for.
        return set is null || CommandContext.IsSetHere || source.GrainId.IsSystemTarget() ? null : Activating(source, set).Nested($"activation/{context.TargetId}");
    }

    /// <summary>Counts the calls of one activation, as a command's run does its own.</summary>
    private static CommandInvocation Activating(IGrainContext source, CommandContext inherited)
    {
        if (source.GetComponent<CommandInvocation>() is { } begun && begun.Context == inherited)
        {
            return begun;
        }

        var activating = new CommandInvocation(inherited);
        source.SetComponent(activating);
        return activating;
    }
}
