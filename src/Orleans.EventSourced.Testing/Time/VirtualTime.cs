using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Testing.Clusters;
using Orleans.TestingHost;
using Orleans.Timers;

namespace Orleans.EventSourced.Testing.Time;

/// <summary>The time of a service, in however many clusters it runs, and what hangs on it.</summary>
internal sealed class VirtualTime
{
    private readonly VirtualReminderTable _reminders;

    public VirtualTime(DateTimeOffset start)
    {
        Clock = new VirtualClock(start);
        Agenda = new Agenda(Clock);
        _reminders = new VirtualReminderTable(Agenda);
    }

    public VirtualClock Clock { get; }

    public Agenda Agenda { get; }

    /// <summary>
    /// Lets a silo go by it: its <see cref="TimeProvider"/>, and so what its code and this library date; the clock of its deadlines; the timers of its grains; its reminders. What Orleans does for
    /// itself, membership before all, goes by the machine's clock.
    /// </summary>
    /// <param name="silo">The silo builder, with everything else on it already.</param>
    /// <param name="life">The silo's life.</param>
    /// <param name="grains">The grains, as a silo that lives sees them.</param>
    public void AddTo(ISiloBuilder silo, SiloLife life, Func<IGrainFactory> grains)
    {
        var services = silo.Services;
        services.RemoveAll<TimeProvider>();
        services.AddSingleton<TimeProvider>(Clock);
        services.UseTimeProviderForBackgroundAreas(TimeProvider.System);
        services.PostConfigure<DeadlineOptions>(o => o.Clock = Clock);
        services.RemoveAll<IReminderRegistry>();
        services.AddSingleton<IReminderRegistry>(new VirtualReminders(_reminders, Clock, grains));
        var timers = services.Last(s => s.ServiceType == typeof(ITimerRegistry));
        services.Remove(timers);
        services.AddSingleton<ITimerRegistry>(provider => new VirtualTimers(
            (ITimerRegistry)(timers.ImplementationFactory?.Invoke(provider) ?? ActivatorUtilities.CreateInstance(provider, timers.ImplementationType!)), Agenda, life));
    }
}
