using System.Reflection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Hosting;

namespace Orleans.EventSourced.History;

/// <summary>The folds of the entities that this program knows, by the type of their streams: those of its grains on <see cref="EventSourcedGrain{TState, TEvent}"/>. Immutable.</summary>
public sealed class Entities
{
    private readonly Dictionary<string, EntityFold> _folds = new(StringComparer.Ordinal);

    /// <param name="types">The grain classes.</param>
    /// <param name="options">How states are written.</param>
    public Entities(IOptions<GrainTypeOptions> types, IOptions<EventSourcingOptions> options)
    {
        ArgumentNullException.ThrowIfNull(types);
        ArgumentNullException.ThrowIfNull(options);
        var make = typeof(Entities).GetMethod(nameof(FoldOf), BindingFlags.NonPublic | BindingFlags.Static)!;
        foreach (var grain in types.Value.Classes.Where(t => !t.IsAbstract))
        {
            if (StateOf(grain) is { } state && TypeOf(grain) is { } type)
            {
                _folds[type] = (EntityFold)make.MakeGenericMethod(state).Invoke(null, [type, options.Value])!;
            }
        }
    }

    /// <summary>The types of streams.</summary>
    public IReadOnlyCollection<string> Types => [.. _folds.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The folds.</summary>
    public IReadOnlyCollection<EntityFold> Folds => _folds.Values;

    /// <summary>The fold of a type of streams.</summary>
    /// <exception cref="HistoryException">This program knows none.</exception>
    public EntityFold Find(string type) => _folds.TryGetValue(type, out var fold) ? fold
        : throw new HistoryException(HistoryFault.NoSuchStream, $"This program knows no state of streams of type '{type}'; it knows {string.Join(", ", Types.Select(t => $"'{t}'").DefaultIfEmpty("none"))}.");

    /// <summary>The arguments of the base class; null: it is none.</summary>
    internal static Type[]? StateOf(Type grain)
    {
        for (var t = grain; t is not null; t = t.BaseType)
        {
            if (t.IsGenericType && t.GetGenericTypeDefinition() == typeof(EventSourcedGrain<,>))
            {
                return t.GetGenericArguments();
            }
        }

        return null;
    }

    private static string? TypeOf(Type grain) => grain.GetCustomAttribute<GrainTypeAttribute>(false)?.GetGrainType(null!, grain).ToString();

    private static EntityFold FoldOf<TState, TEvent>(string type, EventSourcingOptions options)
        where TState : class, IFold<TState, TEvent>
        where TEvent : class => EntityFold.Of<TState, TEvent>(type, options.StateJson);
}
