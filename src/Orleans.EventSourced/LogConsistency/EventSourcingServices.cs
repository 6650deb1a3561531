using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.History;
using Orleans.EventSourced.Hosting;
using Orleans.Serialization.Serializers;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>What all adaptors of a silo share.</summary>
internal sealed class EventSourcingServices(
    IEventLog log,
    GroupCommit appends,
    StreamLoader loader,
    ISnapshotStore snapshots,
    JsonEventCodec codec,
    IFieldCodecProvider codecs,
    IOptions<EventSourcingOptions> options,
    TimeProvider time,
    ILoggerFactory loggers)
{
    private LogHead? _head;

    public IEventLog Log { get; } = log;

    public GroupCommit Appends { get; } = appends;

    public StreamLoader Loader { get; } = loader;

    public ISnapshotStore Snapshots { get; } = snapshots;

    public JsonEventCodec Codec { get; } = codec;

    /// <summary>What Orleans can serialize.</summary>
    public IFieldCodecProvider Codecs { get; } = codecs;

    public EventSourcingOptions Options { get; } = options.Value;

    public TimeProvider Time { get; } = time;

    public ILogger Logger { get; } = loggers.CreateLogger("Orleans.EventSourced.LogConsistency");

    /// <summary>The branch whose grains these are for; null: the trunk.</summary>
    public BranchScope? Branch { get; init; }

    /// <summary>Which states may be kept as snapshots.</summary>
    public SnapshotForm SnapshotForm { get; } = new(options.Value.StateJson, loggers.CreateLogger("Orleans.EventSourced.LogConsistency"));

    /// <summary>The identity of the log, asked for once.</summary>
    /// <exception cref="LogUnavailableException">The log could not answer; the next call asks again.</exception>
    public async ValueTask<Guid> LogIdAsync() => (_head ??= await Log.ReadHeadAsync(CancellationToken.None)).LogId;

    /// <summary>The command of events that are raised outside any call: by a timer, in OnActivateAsync.</summary>
    public CommandInvocation NewInvocation() => new(new CommandContext(CommandId.New(Time).Value));

    /// <summary>The stream of a grain; of one on a branch that of the entity itself.</summary>
    /// <exception cref="ArgumentException">The key is no stream key.</exception>
    public StreamId StreamOf(GrainId grain)
    {
        var key = grain.Key.ToString() ?? "";
        return new StreamId(grain.Type.ToString() ?? "", BranchKey.Parse(key) is var (_, own) ? own : key);
    }
}
