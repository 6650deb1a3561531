using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Projections;

/// <summary>A view that this program knows, and how its slices are run.</summary>
internal abstract class RegisteredView(ViewId view, int slices)
{
    public ViewId View { get; } = view;

    public int Slices { get; } = slices;

    /// <summary>A loop that brings one slice's rows up to the log and keeps them there.</summary>
    public abstract ProjectionLoop Loop(Slice slice, Action<ProjectionStatus> changed);

    /// <summary>How far each slice's rows reach, by the slices' numbers.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    public abstract Task<IReadOnlyList<LogPosition>> ReadCheckpointsAsync();
}

/// <summary>The same, with the class of its rows.</summary>
internal sealed class RegisteredView<TRow>(Projection<TRow> projection, int slices, IViewTable<TRow> table, LogTail tail, ProjectionOptions options, TimeProvider time, ILoggerFactory loggers)
    : RegisteredView(projection.View, slices)
    where TRow : class
{
    public override ProjectionLoop Loop(Slice slice, Action<ProjectionStatus> changed) =>
        new ProjectionLoop<TRow>(projection, slice, table, tail, options, time, loggers.CreateLogger("Orleans.EventSourced.Projections"), changed);

    public override async Task<IReadOnlyList<LogPosition>> ReadCheckpointsAsync() =>
        await Task.WhenAll(Enumerable.Range(0, Slices).Select(i => table.OpenAsync(new Slice(i, Slices), CancellationToken.None))).ConfigureAwait(false);
}

/// <summary>The views that this program knows.</summary>
internal sealed class RegisteredViews
{
    private readonly Dictionary<string, RegisteredView> _byTable;

    /// <exception cref="OrleansConfigurationException">One view is registered twice.</exception>
    public RegisteredViews(IEnumerable<RegisteredView> views)
    {
        _byTable = new Dictionary<string, RegisteredView>(StringComparer.Ordinal);
        foreach (var view in views)
        {
            if (_byTable.Values.Any(v => v.View.Name == view.View.Name))
            {
                throw new OrleansConfigurationException($"The view '{view.View.Name}' is registered twice; a program knows one version of a view.");
            }

            _byTable.Add(view.View.Table, view);
        }
    }

    public IReadOnlyCollection<RegisteredView> All => _byTable.Values;

    /// <summary>Null: this program does not know it, or not in this version.</summary>
    public RegisteredView? Find(string table) => _byTable.GetValueOrDefault(table);
}
