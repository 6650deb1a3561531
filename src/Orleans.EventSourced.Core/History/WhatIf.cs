using System.Text.Json;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// A question that can be asked of history, by name: a pure function of one stream's events and some parameters that gives the events as they might have been. It is made once, where the program is put
/// together; branches name it. Immutable.
/// </summary>
public abstract class WhatIf
{
    private static readonly JsonSerializerOptions Strict = new(JsonSerializerOptions.Web)
    {
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowReadingFromString,
    };

    private protected WhatIf(string name, Type events, string description)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentException.ThrowIfNullOrWhiteSpace(description);
        (Name, Events, Description) = (name, events, description);
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>The base type of the events that it is given; others of a stream stay as they are.</summary>
    public Type Events { get; }

    /// <summary>A sentence for people.</summary>
    public string Description { get; }

    /// <summary>Makes a function that branches can name.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">A sentence for people.</param>
    /// <param name="function">
    /// The pure function: no clock, no random, no I/O. Events that it gives back as they are (the same instances) stay where they were, in their order; one that it leaves out did not happen; a new one takes
    /// the place of one that it left out there, or stands behind the one before.
    /// </param>
    /// <typeparam name="TEvent">The base type of the events.</typeparam>
    /// <typeparam name="TParameters">The parameters: a class whose properties have defaults, read from JSON with camel case names; unknown names are refused.</typeparam>
    public static WhatIf Of<TEvent, TParameters>(string name, string description, Func<IReadOnlyList<TEvent>, TParameters, IEnumerable<TEvent>> function)
        where TEvent : class
        where TParameters : class, new() => new Typed<TEvent, TParameters>(name, description, function ?? throw new ArgumentNullException(nameof(function)));

    /// <summary>The function with its parameters.</summary>
    /// <exception cref="HistoryException">The parameters do not fit.</exception>
    internal abstract BoundFunction Bind(JsonElement? parameters);

    private sealed class Typed<TEvent, TParameters>(string name, string description, Func<IReadOnlyList<TEvent>, TParameters, IEnumerable<TEvent>> function) : WhatIf(name, typeof(TEvent), description)
        where TEvent : class
        where TParameters : class, new()
    {
        internal override BoundFunction Bind(JsonElement? parameters)
        {
            var bound = Read(parameters);
            return new BoundFunction(Name, Events, events => [.. function([.. events.Cast<TEvent>()], bound)]);
        }

        private TParameters Read(JsonElement? parameters)
        {
            try
            {
                return parameters is { ValueKind: not JsonValueKind.Null } given ? given.Deserialize<TParameters>(Strict) ?? new TParameters() : new TParameters();
            }
            catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
            {
                throw new HistoryException(HistoryFault.BadEdit, $"The parameters of '{Name}' do not fit: {(e.InnerException is ArgumentException inner ? inner : e).Message}", e);
            }
        }
    }
}
