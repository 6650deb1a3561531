namespace Orleans.EventSourced.Core.Events;

/// <summary>The name under which a class of events is in the log. It outlives the class's own name, which may change at will.</summary>
/// <param name="name">1 to 128 characters, unique among the registered types; by custom kebab case in the past tense: <c>fine-issued</c>.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class EventTypeAttribute(string name) : Attribute
{
    /// <summary>The name.</summary>
    public string Name { get; } = name;

    /// <summary>The version of the payload's shape that this class has, from 1. Every older one needs an upcaster.</summary>
    public short Version { get; init; } = 1;
}
