using Orleans.EventSourced.Benchmarks.Compare;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>Who there is.</summary>
internal static class Contenders
{
    public const string Ours = "Orleans.EventSourced";
    public const string StateStorage = "Orleans StateStorage";
    public const string LogStorage = "Orleans LogStorage";
    public const string Akka = "Akka.Persistence.Sql";
    public const string Insert1 = "INSERT, 1 connection";
    public const string Insert32 = "INSERT, 32 connections";
    public const string Copy = "COPY";

    /// <exception cref="ArgumentException">There is none of this name.</exception>
    public static async Task<IContender> StartAsync(string name, Ground ground, CancellationToken cancellationToken) => name switch
    {
        Ours => await Peers.Ours.StartAsync(await ground.PlaceAsync(cancellationToken)),
        StateStorage or LogStorage => await PeerProcess.StartOrleansAsync(name, await ground.MigratedAsync(cancellationToken), cancellationToken),
        Akka => await PeerProcess.StartAkkaAsync(new Place(Place.Postgres, await ground.Server.CreateDatabaseAsync()), cancellationToken),
        Insert1 => await RawInsert.StartAsync(await ground.MigratedAsync(cancellationToken), connections: 1, cancellationToken),
        Insert32 => await RawInsert.StartAsync(await ground.MigratedAsync(cancellationToken), connections: 32, cancellationToken),
        Copy => await RawCopy.StartAsync(await ground.MigratedAsync(cancellationToken), cancellationToken),
        _ => throw new ArgumentException($"There is no contender '{name}'.", nameof(name)),
    };
}
