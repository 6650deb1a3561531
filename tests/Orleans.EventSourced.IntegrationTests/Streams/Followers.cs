using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Streams;
using Orleans.Placement;
using Orleans.Streams;

namespace Orleans.EventSourced.IntegrationTests.Streams;

/// <summary>One row a counter.</summary>
[View("standing"), GenerateSerializer, Immutable, Alias("tests.Standing")]
public sealed record Standing([property: Id(0)] int Total, [property: Id(1)] string Filling) : IView<Standing, CounterEvent>
{
    /// <summary>The amount that deletes the row; the next one makes it anew.</summary>
    public const int Deletes = 9;

    /// <summary>The amount that makes the row large.</summary>
    public const int Fills = 8;

    public const int FillingLength = 400 * 1024;

    public static string? KeyOf(ViewEvent<CounterEvent> e) => e.Recorded.Stream.Key;

    public static Standing? Apply(Standing? row, string key, ViewEvent<CounterEvent> e) => ((Added)e.Event).Amount switch
    {
        Deletes => null,
        var amount => new((row?.Total ?? 0) + amount, amount == Fills ? new string('x', FillingLength) : ""),
    };
}

/// <summary>A grain that keeps the rows of a view.</summary>
[Alias("tests.IFollowerGrain")]
public interface IFollowerGrain : IGrainWithStringKey
{
    [Alias("Follow")]
    Task FollowAsync(string? since);

    /// <summary>Ends the activation.</summary>
    [Alias("Leave")]
    Task LeaveAsync();

    [Alias("Where")]
    Task<SiloAddress> WhereAsync();
}

/// <summary>A grain that is subscribed by its class.</summary>
[Alias("tests.IViewKeeperGrain")]
public interface IViewKeeperGrain : IGrainWithStringKey
{
    /// <summary>Ends the activation.</summary>
    [Alias("Leave")]
    Task LeaveAsync();
}

/// <summary>Subscribes explicitly, takes batches, and takes its subscription up again where it was. Several are on several silos, whatever the load.</summary>
[GrainType("test-follower"), HashBasedPlacement]
internal sealed class FollowerGrain(KeptRows kept, ILocalSiloDetails silo) : Grain, IFollowerGrain, IAsyncBatchObserver<StreamedViewChange>
{
    private string Name => this.GetPrimaryKeyString();

    private IAsyncStream<StreamedViewChange> Stream => this.GetStreamProvider(ViewStreams.DefaultName).GetStream<StreamedViewChange>(ViewStreams.Of("standing"));

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        foreach (var handle in await Stream.GetAllSubscriptionHandles())
        {
            await handle.ResumeAsync(this, kept.CursorOf(Name) is { } cursor ? ViewStreams.TokenAfter(cursor) : null);
        }
    }

    public Task FollowAsync(string? since) => Stream.SubscribeAsync(this, since is null ? null : ViewStreams.TokenAfter(since));

    public Task OnNextAsync(IList<SequentialItem<StreamedViewChange>> items)
    {
        kept.Arrived(Name, items.Count);
        foreach (var item in items)
        {
            if (ViewStreams.CursorOf(item.Token) != item.Item.Cursor)
            {
                throw new InvalidOperationException($"{item.Item} came with {item.Token}.");
            }

            kept.Take(Name, item.Item);
        }

        return Task.CompletedTask;
    }

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public Task<SiloAddress> WhereAsync() => Task.FromResult(silo.SiloAddress);
}

/// <summary>Is there because there is a view; its key is the view's name. It goes on where it was.</summary>
[GrainType("test-view-keeper"), ImplicitStreamSubscription("views/standing")]
internal sealed class ViewKeeperGrain(KeptRows kept) : Grain, IViewKeeperGrain, IAsyncObserver<StreamedViewChange>
{
    public const string Name = "keeper";

    public override async Task OnActivateAsync(CancellationToken cancellationToken) =>
        await this.GetStreamProvider(ViewStreams.DefaultName).GetStream<StreamedViewChange>(ViewStreams.Of(this.GetPrimaryKeyString()))
            .SubscribeAsync(this, kept.CursorOf(Name) is { } cursor ? ViewStreams.TokenAfter(cursor) : null);

    public Task OnNextAsync(StreamedViewChange item, StreamSequenceToken? token = null)
    {
        kept.Take(Name, item);
        return Task.CompletedTask;
    }

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}
