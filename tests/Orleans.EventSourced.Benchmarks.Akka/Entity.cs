using Akka.Persistence;

namespace Orleans.EventSourced.Benchmarks.Akka;

/// <summary>The command.</summary>
/// <param name="Note">What each event carries.</param>
/// <param name="Events">How many events, all or nothing.</param>
internal sealed record Tick(string Note, int Events);

/// <summary>A question that writes nothing.</summary>
internal enum HowMany
{
    Ticks,
}

/// <summary>What was asked is durable, and this many events there are.</summary>
internal sealed record Acknowledged(int Number);

/// <summary>The event.</summary>
internal sealed record Ticked(int Number, string Note);

/// <summary>The same entity as ours: it counts, each command makes events, and is answered when they are durable.</summary>
internal sealed class Entity : ReceivePersistentActor
{
    private int _count;

    public Entity(string key)
    {
        PersistenceId = key;
        Recover<Ticked>(Apply);
        Command<Tick>(Handle);
        Command<HowMany>(_ => Sender.Tell(new Acknowledged(_count), Self));
    }

    public override string PersistenceId { get; }

    protected override void OnPersistFailure(Exception cause, object @event, long sequenceNr) => Console.Error.WriteLine($"{PersistenceId} could not persist: {cause}");

    private void Handle(Tick tick)
    {
        var sender = Sender;
        if (tick.Events == 1)
        {
            Persist(new Ticked(_count + 1, tick.Note), e =>
            {
                Apply(e);
                sender.Tell(new Acknowledged(_count), Self);
            });
            return;
        }

        var last = _count + tick.Events;
        PersistAll(Enumerable.Range(_count + 1, tick.Events).Select(n => new Ticked(n, tick.Note)), e =>
        {
            Apply(e);
            if (_count == last)
            {
                sender.Tell(new Acknowledged(_count), Self);
            }
        });
    }

    private void Apply(Ticked e) => _count = e.Number;
}
