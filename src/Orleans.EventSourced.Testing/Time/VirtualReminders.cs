using System.Collections.Concurrent;
using Orleans.Timers;

namespace Orleans.EventSourced.Testing.Time;

/// <summary>The reminders of a service, as they would be in a table that all of its silos share: they outlive silos.</summary>
internal sealed class VirtualReminderTable(Agenda agenda)
{
    private readonly ConcurrentDictionary<(GrainId Grain, string Name), Reminder> _reminders = [];

    public IGrainReminder Put(GrainId grain, string name, TimeSpan dueIn, TimeSpan period, DateTimeOffset now, Func<IRemindable> remindable)
    {
        var first = now + dueIn;
        Task TickAsync(DateTimeOffset due) => Task.Run(() => remindable().ReceiveReminder(name, new TickStatus(first.UtcDateTime, period, due.UtcDateTime)));

        var reminder = new Reminder(name, agenda.Add($"The reminder '{name}' of {grain}", dueIn, period, TickAsync));
        _reminders.AddOrUpdate((grain, name), reminder, (_, before) =>
        {
            before.Entry.Cancel();
            return reminder;
        });
        return reminder;
    }

    public void Remove(GrainId grain, string name)
    {
        if (_reminders.TryRemove((grain, name), out var reminder))
        {
            reminder.Entry.Cancel();
        }
    }

    public IGrainReminder? Find(GrainId grain, string name) => _reminders.GetValueOrDefault((grain, name));

    public List<IGrainReminder> Of(GrainId grain) => [.. _reminders.Where(r => r.Key.Grain == grain).Select(r => r.Value)];

    private sealed record Reminder(string ReminderName, Agenda.Entry Entry) : IGrainReminder;
}

/// <summary>Takes the place of Orleans' reminder service on a silo: reminders tick when the test moves the time, and the test waits for them.</summary>
internal sealed class VirtualReminders(VirtualReminderTable table, VirtualClock clock, Func<IGrainFactory> grains) : IReminderRegistry
{
    public Task<IGrainReminder> RegisterOrUpdateReminder(GrainId callingGrainId, string reminderName, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentException.ThrowIfNullOrEmpty(reminderName);
        ArgumentOutOfRangeException.ThrowIfLessThan(dueTime, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(period, TimeSpan.Zero);
        return Task.FromResult(table.Put(callingGrainId, reminderName, dueTime, period, clock.GetUtcNow(), () => grains().GetGrain<IRemindable>(callingGrainId)));
    }

    public Task UnregisterReminder(GrainId callingGrainId, IGrainReminder reminder)
    {
        ArgumentNullException.ThrowIfNull(reminder);
        table.Remove(callingGrainId, reminder.ReminderName);
        return Task.CompletedTask;
    }

    public Task<IGrainReminder?> GetReminder(GrainId callingGrainId, string reminderName) => Task.FromResult(table.Find(callingGrainId, reminderName));

    public Task<List<IGrainReminder>> GetReminders(GrainId callingGrainId) => Task.FromResult(table.Of(callingGrainId));
}
