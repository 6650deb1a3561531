using System.Text.Json;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Hosting;

/// <summary>How a silo keeps its journaled grains. Validated when the silo starts.</summary>
public sealed class EventSourcingOptions
{
    /// <summary>The event types of the application. Required.</summary>
    public EventTypeMap? EventTypes { get; set; }

    /// <summary>How often a command is decided again, or an event raised without condition is sent again, after another writer was first. 0 to 100; default 8.</summary>
    public int MaxConflicts { get; set; } = 8;

    /// <summary>How many of a stream's last events a grain keeps in memory, and of those no more than 64 KiB together, to answer repeated commands without asking the log. 0 to 1,000; default 32.</summary>
    public int RecentEvents { get; set; } = 32;

    /// <summary>
    /// For a silo that comes to load many events: it leaves the views to the other silos of the cluster and, while there is none that knows them, to
    /// <see cref="Projections.ProjectionControl.StartDeferred"/>. A new log is then folded once in large steps, not beside the load. Default false.
    /// </summary>
    public bool DefersViews { get; set; }

    /// <summary>How states are written into snapshots and read from them.</summary>
    public JsonSerializerOptions StateJson { get; set; } = new(JsonSerializerDefaults.Web);

    internal sealed class Validator : IValidateOptions<EventSourcingOptions>
    {
        public ValidateOptionsResult Validate(string? name, EventSourcingOptions options)
        {
            var faults = new List<string>();
            if (options.EventTypes is null)
            {
                faults.Add($"{nameof(EventSourcingOptions)}.{nameof(EventTypes)} is missing: build an EventTypeMap of the application's event types.");
            }

            if (options.MaxConflicts is < 0 or > 100)
            {
                faults.Add($"{nameof(EventSourcingOptions)}.{nameof(MaxConflicts)} is {options.MaxConflicts}; allowed are 0 to 100.");
            }

            if (options.RecentEvents is < 0 or > 1_000)
            {
                faults.Add($"{nameof(EventSourcingOptions)}.{nameof(RecentEvents)} is {options.RecentEvents}; allowed are 0 to 1,000.");
            }

            return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
        }
    }
}
