using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Tracing;

namespace Orleans.EventSourced.Hosting;

/// <summary>Adds traces of workflows to a silo.</summary>
public static class TraceHosting
{
    /// <summary>Keeps the view <c>es_trace</c>, one row an event of the whole log, and answers <see cref="Traces"/> from it.</summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="slices">Into how many shares its rows are divided, as of any view.</param>
    /// <param name="configure">Limits.</param>
    public static ISiloBuilder AddTrace(this ISiloBuilder silo, int slices = 1, Action<TraceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(silo);
        var services = silo.Services;
        services.AddOptions<TraceOptions>().Configure(configure ?? (_ => { })).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TraceOptions>, TraceOptions.Validator>());
        services.TryAddSingleton(provider => new Traces(
            provider.GetRequiredService<IViewStore>().Reader<TraceRow>(), provider.GetRequiredService<HistoryLog>().Log, provider.GetRequiredService<IOptions<TraceOptions>>().Value));
        return silo.AddView(Projection.Of<TraceRow, RecordedEvent>(), slices);
    }
}
