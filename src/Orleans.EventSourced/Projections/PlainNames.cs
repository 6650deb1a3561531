using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Projections;

/// <summary>What the keeper does with the tables of views beside waking their slices: it finds those that are built, and lets the plain names go over to newer versions.</summary>
internal sealed partial class PlainNames(RegisteredViews views, IServiceProvider services, ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger("Orleans.EventSourced.Projections");

    /// <summary>The checkpoints as they are now; none: the store did not answer, or there are no views.</summary>
    public async Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync()
    {
        if (views.All.Count == 0)
        {
            return [];
        }

        try
        {
            return await services.GetRequiredService<IViewStore>().ReadCheckpointsAsync(CancellationToken.None);
        }
        catch (LogException e)
        {
            // The loops say for themselves that the store does not answer; the next round asks again.
            NotRead(_logger, e);
            return [];
        }
    }

    /// <summary>The tables that are built beside live ones of these views.</summary>
    public static IEnumerable<IKept> BuiltOf(IEnumerable<IKept> kept, IReadOnlyList<Checkpoint> checkpoints)
    {
        var built = checkpoints.Where(c => c.Role == ViewRole.Building).Select(c => c.View).ToHashSet();
        return kept.OfType<RegisteredView>().Where(v => built.Contains(v.View)).Select(v => v.Built);
    }

    /// <summary>
    /// Lets the plain names of views show this program's newer versions: of each as soon as nobody runs the version shown any more, and the newer one is as far. Nobody who reads by the
    /// plain name sees rows go back.
    /// </summary>
    /// <param name="checkpoints">The checkpoints.</param>
    /// <param name="isOurs">Whether a version belongs to this silo.</param>
    /// <param name="isKnown">Whether any silo runs a version.</param>
    public async Task ShowAsync(IReadOnlyList<Checkpoint> checkpoints, Func<ViewId, bool> isOurs, Func<ViewId, bool> isKnown)
    {
        foreach (var view in views.All.Where(v => isOurs(v.View)))
        {
            var shown = checkpoints.Where(c => c.IsShown && c.View.Name == view.View.Name && c.View.Version < view.View.Version && c.Role == ViewRole.Live).ToList();
            var own = checkpoints.Where(c => c.View == view.View && c.Role == ViewRole.Live).ToList();
            if (shown.Count == 0 || isKnown(shown[0].View) || own.Count != view.Slices || own.Min(c => c.Position) < shown.Max(c => c.Position))
            {
                continue;
            }

            try
            {
                await view.Editions.ShowAsync(CancellationToken.None);
                Shown(_logger, view.View.Name, view.View.Version, shown[0].View.Version);
            }
            catch (LogException e)
            {
                NotShown(_logger, view.View.Name, view.View.Version, e);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The checkpoints of the views could not be read; they are asked for again")]
    private static partial void NotRead(ILogger logger, Exception cause);

    [LoggerMessage(Level = LogLevel.Information, Message = "View {View} now shows version {Version} under its plain name, instead of version {Before}")]
    private static partial void Shown(ILogger logger, string view, int version, int before);

    [LoggerMessage(Level = LogLevel.Warning, Message = "View {View} could not show version {Version} under its plain name; it is tried again")]
    private static partial void NotShown(ILogger logger, string view, int version, Exception cause);
}
