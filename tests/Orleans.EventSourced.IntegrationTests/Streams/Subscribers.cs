using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Streams;
using Orleans.Streams;
using Orleans.Streams.Core;

namespace Orleans.EventSourced.IntegrationTests.Streams;

/// <summary>A grain that is subscribed by its class.</summary>
[Alias("tests.IKeeperGrain")]
public interface IKeeperGrain : IGrainWithStringKey
{
    /// <summary>Ends the activation.</summary>
    [Alias("Leave")]
    Task LeaveAsync();

    [Alias("Where")]
    Task<SiloAddress> WhereAsync();
}

/// <summary>A grain that subscribes when it is told to.</summary>
[Alias("tests.IReaderGrain")]
public interface IReaderGrain : IGrainWithStringKey
{
    [Alias("Subscribe")]
    Task SubscribeAsync(StreamSequenceToken? token);

    [Alias("Unsubscribe")]
    Task UnsubscribeAsync();

    /// <summary>Ends the activation.</summary>
    [Alias("Leave")]
    Task LeaveAsync();

    [Alias("Where")]
    Task<SiloAddress> WhereAsync();
}

/// <summary>Keeps the position of what it has done with its own data, starts there, and passes over what comes again.</summary>
[GrainType("test-keeper"), ImplicitStreamSubscription("eventlog/ledger")]
internal sealed class KeeperGrain(Deliveries deliveries, ILocalSiloDetails silo) : Grain, IKeeperGrain, IAsyncObserver<StreamedEvent>
{
    public static string NameOf(int slice) => $"keeper/{slice}";

    private string Name => NameOf(Slice);

    private int Slice => int.Parse(this.GetPrimaryKeyString(), System.Globalization.CultureInfo.InvariantCulture);

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        await deliveries.Activating(Name);
        await this.GetStreamProvider(EventLogStreams.DefaultName).GetStream<StreamedEvent>(EventLogStreams.Of("ledger", Slice))
            .SubscribeAsync(this, EventLogStreams.TokenAfter(new LogPosition(deliveries.KeptBy(Name))));
    }

    public Task OnNextAsync(StreamedEvent item, StreamSequenceToken? token = null) =>
        item.Position.Value <= deliveries.KeptBy(Name) ? Task.CompletedTask : deliveries.TakeAsync(Name, item);

    public Task OnErrorAsync(Exception ex)
    {
        deliveries.Errors.Enqueue((Name, ex));
        return Task.CompletedTask;
    }

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public Task<SiloAddress> WhereAsync() => Task.FromResult(silo.SiloAddress);
}

/// <summary>Keeps no position and says none: it relies on what the stream gives.</summary>
[GrainType("test-trusting"), ImplicitStreamSubscription("eventlog/ledger")]
internal sealed class TrustingGrain(Deliveries deliveries) : Grain, IGrainWithStringKey, IStreamSubscriptionObserver, IAsyncObserver<StreamedEvent>
{
    private string Name => NameOf(this.GetPrimaryKeyString());

    public static string NameOf(string slice) => $"trusting/{slice}";

    public override Task OnActivateAsync(CancellationToken cancellationToken) => deliveries.Activating(Name);

    public Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory) => handleFactory.Create<StreamedEvent>().ResumeAsync(this);

    public Task OnNextAsync(StreamedEvent item, StreamSequenceToken? token = null) => deliveries.TakeAsync(Name, item);

    public Task OnErrorAsync(Exception ex)
    {
        deliveries.Errors.Enqueue((Name, ex));
        return Task.CompletedTask;
    }
}

/// <summary>Takes the events of all categories, a batch at a time.</summary>
[GrainType("test-everything"), ImplicitStreamSubscription("eventlog")]
internal sealed class EverythingGrain(Deliveries deliveries) : Grain, IGrainWithIntegerKey, IAsyncBatchObserver<StreamedEvent>
{
    public static string NameOf(long slice) => $"everything/{slice}";

    public override async Task OnActivateAsync(CancellationToken cancellationToken) =>
        await this.GetStreamProvider(EventLogStreams.DefaultName).GetStream<StreamedEvent>(EventLogStreams.Everything((int)this.GetPrimaryKeyLong())).SubscribeAsync(this);

    public async Task OnNextAsync(IList<SequentialItem<StreamedEvent>> items)
    {
        deliveries.Batches.Enqueue((items.Count, items.Sum(i => i.Item.Recorded.Bytes)));
        foreach (var item in items)
        {
            await deliveries.TakeAsync(NameOf(this.GetPrimaryKeyLong()), item.Item);
        }
    }

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;
}

/// <summary>Subscribes explicitly, and takes its subscription up again when it is activated. Its name is its key; what stands there before a slash is the category, else it is the ledgers'.</summary>
[GrainType("test-reader")]
internal sealed class ReaderGrain(Deliveries deliveries, ILocalSiloDetails silo) : Grain, IReaderGrain, IAsyncObserver<StreamedEvent>
{
    private IAsyncStream<StreamedEvent> Stream => this.GetStreamProvider(EventLogStreams.DefaultName).GetStream<StreamedEvent>(EventLogStreams.Of(this.GetPrimaryKeyString().Split('/') is [var category, _] ? category : "ledger"));

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        foreach (var handle in await Stream.GetAllSubscriptionHandles())
        {
            await handle.ResumeAsync(this, EventLogStreams.TokenAfter(new LogPosition(deliveries.KeptBy(this.GetPrimaryKeyString()))));
        }
    }

    public Task SubscribeAsync(StreamSequenceToken? token) => Stream.SubscribeAsync(this, token);

    public async Task UnsubscribeAsync()
    {
        foreach (var handle in await Stream.GetAllSubscriptionHandles())
        {
            await handle.UnsubscribeAsync();
        }
    }

    public Task OnNextAsync(StreamedEvent item, StreamSequenceToken? token = null) =>
        EventLogStreams.PositionOf(token!) == item.Position ? deliveries.TakeAsync(this.GetPrimaryKeyString(), item) : throw new InvalidOperationException($"{item} came with {token}.");

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public Task<SiloAddress> WhereAsync() => Task.FromResult(silo.SiloAddress);
}
