using System.Globalization;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Streams;
using Orleans.Streams;
using Orleans.Streams.Core;

namespace Orleans.EventSourced.TestNode;

/// <summary>A subscriber of one slice of the accounts' events.</summary>
[Alias("node.IKeeperGrain")]
internal interface IKeeperGrain : IGrainWithStringKey
{
    /// <summary>The silo where it is.</summary>
    [Alias("Where")]
    Task<string> WhereAsync();
}

/// <summary>Writes down each event that comes, again too, and goes on behind the last one when it is activated.</summary>
[GrainType("keeper"), ImplicitStreamSubscription("eventlog/account")]
internal sealed class KeeperGrain(Deliveries deliveries, ILocalSiloDetails silo) : Grain, IKeeperGrain, IAsyncObserver<StreamedEvent>
{
    private int Slice => int.Parse(this.GetPrimaryKeyString(), CultureInfo.InvariantCulture);

    public override async Task OnActivateAsync(CancellationToken cancellationToken) =>
        await this.GetStreamProvider(EventLogStreams.DefaultName).GetStream<StreamedEvent>(EventLogStreams.Of("account", Slice))
            .SubscribeAsync(this, EventLogStreams.TokenAfter(await deliveries.LastAsync("keeper", Slice)));

    public Task OnNextAsync(StreamedEvent item, StreamSequenceToken? token = null) => deliveries.WriteAsync("keeper", Slice, item, silo.SiloAddress);

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;

    public Task<string> WhereAsync() => Task.FromResult(silo.SiloAddress.ToString());
}

/// <summary>Keeps no position: when it begins anew, all events come to it again.</summary>
[GrainType("trusting"), ImplicitStreamSubscription("eventlog/account")]
internal sealed class TrustingGrain(Deliveries deliveries, ILocalSiloDetails silo) : Grain, IGrainWithStringKey, IStreamSubscriptionObserver, IAsyncObserver<StreamedEvent>
{
    private int Slice => int.Parse(this.GetPrimaryKeyString(), CultureInfo.InvariantCulture);

    public Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory) => handleFactory.Create<StreamedEvent>().ResumeAsync(this);

    public Task OnNextAsync(StreamedEvent item, StreamSequenceToken? token = null) => deliveries.WriteAsync("trusting", Slice, item, silo.SiloAddress);

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;
}

/// <summary>What came to the subscribers, in a table that the test makes: <c>deliveries (number, subscriber, slice, position, silo)</c>. Safe for concurrent use.</summary>
internal sealed class Deliveries(NpgsqlDataSource database)
{
    /// <summary>The last position that came to a subscriber.</summary>
    public async Task<LogPosition> LastAsync(string subscriber, int slice)
    {
        await using var command = database.CreateCommand("select coalesce(max(position), 0) from deliveries where subscriber = $1 and slice = $2");
        command.Parameters.AddRange((NpgsqlParameter[])[new() { Value = subscriber }, new() { Value = slice }]);
        return new LogPosition((long)(await command.ExecuteScalarAsync())!);
    }

    public async Task WriteAsync(string subscriber, int slice, StreamedEvent item, SiloAddress silo)
    {
        await using var command = database.CreateCommand("insert into deliveries (subscriber, slice, position, silo) values ($1, $2, $3, $4)");
        command.Parameters.AddRange((NpgsqlParameter[])[new() { Value = subscriber }, new() { Value = slice }, new() { Value = item.Position.Value }, new() { Value = silo.ToString() }]);
        await command.ExecuteNonQueryAsync();
    }
}
