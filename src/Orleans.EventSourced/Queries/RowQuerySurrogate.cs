using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Queries;

/// <summary>A query on its way to a grain; Core knows nothing of Orleans' serializer.</summary>
[GenerateSerializer, Alias("Orleans.EventSourced.RowQuery")]
internal struct RowQuerySurrogate
{
    [Id(0)]
    public (string Column, RowComparison Comparison, string Value)[] Filters;

    [Id(1)]
    public string? SortBy;

    [Id(2)]
    public bool Descending;

    [Id(3)]
    public string? After;

    [Id(4)]
    public int Limit;
}

[RegisterConverter]
internal sealed class RowQueryConverter : IConverter<RowQuery, RowQuerySurrogate>
{
    public RowQuery ConvertFromSurrogate(in RowQuerySurrogate surrogate) => new()
    {
        Filters = [.. surrogate.Filters.Select(f => new RowFilter(f.Column, f.Comparison, f.Value))],
        SortBy = surrogate.SortBy,
        Descending = surrogate.Descending,
        After = surrogate.After,
        Limit = surrogate.Limit,
    };

    public RowQuerySurrogate ConvertToSurrogate(in RowQuery value) => new()
    {
        Filters = [.. value.Filters.Select(f => (f.Column, f.Comparison, f.Value))],
        SortBy = value.SortBy,
        Descending = value.Descending,
        After = value.After,
        Limit = value.Limit,
    };
}
