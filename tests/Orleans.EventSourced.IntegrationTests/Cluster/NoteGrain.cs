using System.Threading.Channels;

namespace Orleans.EventSourced.IntegrationTests.Cluster;

/// <summary>A grain with everything that the tables serve: state and reminders.</summary>
[Alias("tests.note")]
public interface INoteGrain : IGrainWithStringKey
{
    [Alias("read")]
    Task<string> ReadAsync();

    [Alias("write")]
    Task WriteAsync(string text);

    [Alias("clear")]
    Task ClearAsync();

    [Alias("remind")]
    Task RemindAsync(string reminder, TimeSpan due, TimeSpan period);

    [Alias("reminders")]
    Task<string[]> RemindersAsync();

    [Alias("forget")]
    Task ForgetAsync(string reminder);
}

/// <summary>What a note remembers.</summary>
[GenerateSerializer]
public sealed class Note
{
    /// <summary>The text that was written last; empty when none was, or when it was cleared.</summary>
    [Id(0)]
    public string Text { get; set; } = "";
}

/// <summary>The ticks of reminders on one silo, in the order in which they came.</summary>
public sealed class Ticks
{
    public Channel<string> Seen { get; } = Channel.CreateUnbounded<string>();
}

[GrainType("test-note")]
internal sealed class NoteGrain([PersistentState("note")] IPersistentState<Note> note, Ticks ticks) : Grain, INoteGrain, IRemindable
{
    public Task<string> ReadAsync() => Task.FromResult(note.State.Text);

    public Task WriteAsync(string text)
    {
        note.State.Text = text;
        return note.WriteStateAsync();
    }

    public Task ClearAsync() => note.ClearStateAsync();

    public Task RemindAsync(string reminder, TimeSpan due, TimeSpan period) => this.RegisterOrUpdateReminder(reminder, due, period);

    public async Task<string[]> RemindersAsync() => [.. (await this.GetReminders()).Select(reminder => reminder.ReminderName).Order()];

    public async Task ForgetAsync(string reminder) => await this.UnregisterReminder(await this.GetReminder(reminder) ?? throw new InvalidOperationException("No such reminder."));

    public async Task ReceiveReminder(string reminderName, TickStatus status) =>
        await ticks.Seen.Writer.WriteAsync($"{this.GetPrimaryKeyString()}/{reminderName}");
}
