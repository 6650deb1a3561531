using Orleans.EventSourced.Core.Deciding;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>Holds an immutable state where Orleans wants a class that it can make and change.</summary>
/// <typeparam name="TState">The immutable state.</typeparam>
/// <typeparam name="TEvent">The base type of its events.</typeparam>
public sealed class Folded<TState, TEvent> : IFoldedView
    where TState : IFold<TState, TEvent>
{
    /// <summary>The state.</summary>
    public TState Value { get; internal set; } = TState.Initial;

    Type IFoldedView.StateType => typeof(TState);

    object IFoldedView.State
    {
        get => Value!;
        set => Value = (TState)value;
    }
}

/// <summary>A view whose state is immutable, so that a copy is an assignment.</summary>
internal interface IFoldedView
{
    Type StateType { get; }

    object State { get; set; }
}
