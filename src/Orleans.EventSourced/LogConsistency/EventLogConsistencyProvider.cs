using Microsoft.Extensions.Logging;
using Orleans.EventSourced.History;
using Orleans.EventSourcing;
using Orleans.Serialization;
using Orleans.Storage;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>Makes the adaptors of journaled grains. Registered under its name and as the default, because without a default Orleans silently keeps the state instead of the events.</summary>
internal sealed class EventLogConsistencyProvider(EventSourcingServices services, BranchScopes branches, IGrainContextAccessor contexts) : ILogViewAdaptorFactory
{
    /// <summary>The name for <c>[LogConsistencyProvider(ProviderName = "EventLog")]</c>.</summary>
    public const string Name = "EventLog";

    public bool UsesStorageProvider => false;

    public ILogViewAdaptor<TLogView, TLogEntry> MakeLogViewAdaptor<TLogView, TLogEntry>(
        ILogViewAdaptorHost<TLogView, TLogEntry> hostGrain, TLogView initialState, string grainTypeName, IGrainStorage? grainStorage, ILogConsistencyProtocolServices protocol)
        where TLogView : class, new()
        where TLogEntry : class
    {
        var context = contexts.GrainContext ?? throw new InvalidOperationException("A journaled grain was set up outside an activation.");
        if (BranchKey.Parse(context.GrainId.Key.ToString() ?? "") is not var (branch, _))
        {
            return new EventLogViewAdaptor<TLogView, TLogEntry>(hostGrain, initialState, context, services);
        }

        // Of the others nobody knows what they do besides folding and deciding.
        return initialState is IFoldedView
            ? new EventLogViewAdaptor<TLogView, TLogEntry>(hostGrain, initialState, context, branches.Of(branch))
            : throw new BranchIsolationException($"'{context.GrainId}' is no EventSourcedGrain; only these live on branches.");
    }
}

/// <summary>What Orleans hands to a provider; ours needs none of it, but every journaled grain asks for it.</summary>
internal sealed class ProtocolServices(IGrainContext context, DeepCopier copier, ILocalSiloDetails silo, ILogger<ProtocolServices> logger) : ILogConsistencyProtocolServices
{
    public GrainId GrainId => context.GrainId;

    public string MyClusterId => silo.ClusterId;

    public T DeepCopy<T>(T value) => copier.Copy(value)!;

    public void ProtocolError(string msg, bool throwexception)
    {
        Log(LogLevel.Error, "{0}", msg);
        if (throwexception)
        {
            throw new OrleansException($"{msg} (grain {GrainId}, cluster {MyClusterId})");
        }
    }

    public void CaughtException(string where, Exception e) => Write(LogLevel.Error, where, e);

    public void CaughtUserCodeException(string callback, string where, Exception e) => Write(LogLevel.Warning, $"{callback}, called from {where}", e);

    public void Log(LogLevel level, string format, params object[] args) => Write(level, string.Format(System.Globalization.CultureInfo.InvariantCulture, format, args), null);

    private void Write(LogLevel level, string text, Exception? e) => logger.Log(level, default, text, e, (message, _) => $"{GrainId}: {message}");
}
