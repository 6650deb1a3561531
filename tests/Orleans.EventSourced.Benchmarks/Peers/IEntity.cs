namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>What the grains of all contenders can do. Each contender's own interface derives from it, so that a key finds its class.</summary>
[Alias("bench.IEntity")]
public interface IEntity : IGrainWithStringKey
{
    /// <summary>Writes so many events as one command; they are durable when this answers, with a number that grows.</summary>
    [Alias("Tick")]
    Task<long> TickAsync(string note, int events);

    /// <summary>The version, from what is in memory.</summary>
    [Alias("Version")]
    Task<int> VersionAsync();

    /// <summary>Lets the grain go from memory.</summary>
    [Alias("Leave")]
    Task LeaveAsync();
}
