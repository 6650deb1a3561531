using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Akka;

/// <summary>An actor system whose persistent actors keep their events in PostgreSQL, one actor an entity.</summary>
internal sealed class Peer : IAsyncDisposable
{
    private const int EventsOfAFill = 500;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly ActorSystem _system;
    private int _generation;

    private Peer(ActorSystem system) => _system = system;

    /// <summary>
    /// The journal as it comes (batches of 100, three writers, a buffer of 5,000), but for what a load of 2,048 callers needs, and for payloads: System.Text.Json, as ours, which its documentation advises
    /// over the default. Logs are off.
    /// </summary>
    public static Peer Start(string connectionString) => new(ActorSystem.Create("bench", ConfigurationFactory.ParseString($$"""
        akka {
          loglevel = ERROR
          stdout-loglevel = OFF
          actor {
            serializers { ticked = "{{typeof(TickedSerializer).AssemblyQualifiedName}}" }
            serialization-bindings { "{{typeof(Ticked).AssemblyQualifiedName}}" = ticked }
          }
          persistence {
            journal {
              plugin = "akka.persistence.journal.sql"
              sql {
                class = "Akka.Persistence.Sql.Journal.SqlWriteJournal, Akka.Persistence.Sql"
                connection-string = "{{connectionString}}"
                provider-name = "PostgreSQL.15"
                auto-initialize = true
              }
            }
            max-concurrent-recoveries = 50
          }
        }
        """).WithFallback(global::Akka.Persistence.Sql.SqlPersistence.DefaultConfiguration)));

    public async Task<Round> AppendAsync(AppendLoad load)
    {
        var entities = Enumerable.Range(0, load.Callers).Select(n => load.KeyOf(n)).Distinct().ToDictionary(k => k, Wake);
        var targets = Enumerable.Range(0, load.Callers).Select(n => entities[load.KeyOf(n)]).ToArray();
        var round = await ClosedLoop.RunAsync(load.Callers, load.EventsPerCommand, load.Time, n => targets[n].Ask<Acknowledged>(new Tick(AppendLoad.Note, load.EventsPerCommand), Patience));
        await SleepAsync(entities.Values);
        return round;
    }

    public Task FillAsync(ColdStreams streams) => Parallel.ForAsync(0, streams.Streams, async (n, _) =>
    {
        var entity = Wake(streams.KeyOf(n));
        for (var filled = 0; filled < streams.Events; filled += EventsOfAFill)
        {
            await entity.Ask<Acknowledged>(new Tick(AppendLoad.Note, Math.Min(EventsOfAFill, streams.Events - filled)), Patience);
        }

        await SleepAsync([entity]);
    });

    public async Task<Round> ActivateAsync(ColdStreams streams)
    {
        var (took, awake) = (new List<double>(), new List<IActorRef>());
        for (var n = 0; n < streams.Streams; n++)
        {
            var started = Stopwatch.GetTimestamp();
            awake.Add(Wake(streams.KeyOf(n)));
            var last = await awake[^1].Ask<Acknowledged>(HowMany.Ticks, Patience);
            took.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            if (last.Number != streams.Events)
            {
                throw new InvalidOperationException($"{streams.KeyOf(n)} has {last.Number} events instead of {streams.Events}.");
            }
        }

        await SleepAsync(awake);
        var latencies = new Latencies(took);
        return Round.Of((Quantity.P50, latencies.P50), (Quantity.P99, latencies.P99));
    }

    public async ValueTask DisposeAsync() => await _system.Terminate();

    // Names of actors are given once: one that is being stopped may still have its own.
    private IActorRef Wake(string key) => _system.ActorOf(Props.Create(() => new Entity(key)), $"{key}-{Interlocked.Increment(ref _generation)}");

    private static Task SleepAsync(IEnumerable<IActorRef> entities) => Task.WhenAll(entities.Select(e => e.GracefulStop(Patience)));
}
