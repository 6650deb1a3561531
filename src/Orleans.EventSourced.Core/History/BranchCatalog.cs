namespace Orleans.EventSourced.Core.History;

/// <summary>What branches may name: functions over events, other folds and other deciders. Put together once, where the program is; immutable.</summary>
public sealed class BranchCatalog
{
    private readonly Dictionary<string, WhatIf> _functions;
    private readonly Dictionary<string, BranchRule> _rules;

    /// <param name="functions">The functions.</param>
    /// <param name="rules">Other folds and deciders.</param>
    /// <exception cref="ArgumentException">Two have one name.</exception>
    public BranchCatalog(IEnumerable<WhatIf> functions, IEnumerable<BranchRule> rules)
    {
        _functions = functions.ToDictionary(f => f.Name, StringComparer.Ordinal);
        _rules = rules.ToDictionary(r => r.Name, StringComparer.Ordinal);
    }

    /// <summary>The functions, by name.</summary>
    public IReadOnlyCollection<WhatIf> Functions => [.. _functions.Values.OrderBy(f => f.Name, StringComparer.Ordinal)];

    /// <summary>Other folds and deciders, by name.</summary>
    public IReadOnlyCollection<BranchRule> Rules => [.. _rules.Values.OrderBy(r => r.Name, StringComparer.Ordinal)];

    /// <summary>The function with this name.</summary>
    /// <exception cref="HistoryException">There is none.</exception>
    public WhatIf Function(string name) => _functions.TryGetValue(name, out var function) ? function
        : throw new HistoryException(HistoryFault.BadEdit, $"There is no function '{name}'; there are {Names(_functions.Keys)}.");

    /// <summary>The fold or decider with this name.</summary>
    /// <exception cref="HistoryException">There is none.</exception>
    public BranchRule Rule(string name) => _rules.TryGetValue(name, out var rule) ? rule
        : throw new HistoryException(HistoryFault.BadEdit, $"There is no rule '{name}'; there are {Names(_rules.Keys)}.");

    private static string Names(IEnumerable<string> names) => string.Join(", ", names.Order(StringComparer.Ordinal).Select(n => $"'{n}'").DefaultIfEmpty("none"));
}

/// <summary>Other rules that a branch may name, for one type of streams: how states follow from events, or what commands make happen.</summary>
public abstract record BranchRule
{
    private BranchRule(string name, string description) => (Name, Description) = (name, description);

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>A sentence for people.</summary>
    public string Description { get; }

    /// <summary>Another fold.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Description">A sentence for people.</param>
    /// <param name="States">The fold, which also says for which type of streams.</param>
    public sealed record Fold(string Name, string Description, EntityFold States) : BranchRule(Name, Description);

    /// <summary>Another decider.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Description">A sentence for people.</param>
    /// <param name="Type">The type of the streams.</param>
    /// <param name="Decision">A <c>Func&lt;TState, TCommand, Decision&lt;TEvent&gt;&gt;</c>, used in the place of the one that a grain decides by, if it is of the same type.</param>
    public sealed record Decider(string Name, string Description, string Type, Delegate Decision) : BranchRule(Name, Description);
}
