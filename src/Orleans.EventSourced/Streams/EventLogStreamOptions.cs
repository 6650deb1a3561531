using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Streams;

/// <summary>How the log is streamed. Validated when the silo starts; all silos of a cluster must have the same.</summary>
public sealed class EventLogStreamOptions
{
    /// <summary>
    /// Into how many shares each category is divided, by the names of the log's streams: 1 to <see cref="Slice.MaxCount"/>; default 1. Order holds within a slice. Each slice is read by one agent in
    /// the cluster, and an implicit subscriber has one activation a slice. Another number gives most log streams to other subscribers, which know nothing of what their predecessors did.
    /// </summary>
    public int Slices { get; set; } = 1;

    /// <summary>
    /// The most events of one delivery. It is acknowledged as a whole, so after a failure all of its events come again. 1 to 5,000; default 500. A delivery holds at most 1 MiB of payload and
    /// metadata, or one event.
    /// </summary>
    public int BatchEvents { get; set; } = 500;

    /// <summary>
    /// The categories that have streams of their own beside the types of the journaled grains of this silo's program, which always have one: for categories whose grains live in other programs, or in
    /// none any more. Each is named as the type in the log's stream names. The streams of everything hold all of them, named or not.
    /// </summary>
    public ISet<string> Categories { get; } = new HashSet<string>(StringComparer.Ordinal);

    internal sealed class Validator : IValidateOptions<EventLogStreamOptions>
    {
        private const int MaxBatchEvents = 5_000;

        public ValidateOptionsResult Validate(string? name, EventLogStreamOptions options)
        {
            var faults = new List<string>();
            if (options.Slices is < 1 or > Slice.MaxCount)
            {
                faults.Add($"{nameof(EventLogStreamOptions)}.{nameof(Slices)} of '{name}' is {options.Slices}; allowed are 1 to {Slice.MaxCount}.");
            }

            if (options.BatchEvents is < 1 or > MaxBatchEvents)
            {
                faults.Add($"{nameof(EventLogStreamOptions)}.{nameof(BatchEvents)} of '{name}' is {options.BatchEvents}; allowed are 1 to {MaxBatchEvents}.");
            }

            faults.AddRange(options.Categories.Where(c => !IsType(c)).Select(c => $"{nameof(EventLogStreamOptions)}.{nameof(Categories)} of '{name}' holds '{c}', which is no type of a log stream."));
            return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
        }

        private static bool IsType(string category)
        {
            try
            {
                return new StreamId(category, "any").Type == category;
            }
            catch (ArgumentException)
            {
                return false;
            }
        }
    }
}
