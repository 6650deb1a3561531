using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Core.Log;

/// <summary>How appends are gathered into batches, and how far doubt and failure are followed.</summary>
public sealed class GroupCommitOptions
{
    /// <summary>The most requests that wait or are in flight; one more is refused with <see cref="LogOverloadedException"/>. 1 to 1,000,000; default 10,000.</summary>
    public int MaxQueuedRequests { get; set; } = 10_000;

    /// <summary>
    /// The most bytes of payload and metadata that wait or are in flight; a request beyond them is refused with <see cref="LogOverloadedException"/>. 16 MiB (the largest
    /// request, <see cref="AppendRequest.MaxBytes"/>) to 16 GiB; default 256 MiB.
    /// </summary>
    public long MaxQueuedBytes { get; set; } = 256 * 1024 * 1024;

    /// <summary>The most events of a batch; a single larger request goes alone. 1 to 10,000; default 500.</summary>
    public int MaxBatchEvents { get; set; } = 500;

    /// <summary>The most bytes of payload and metadata of a batch; a single larger request goes alone. 1 KiB to 64 MiB; default 4 MiB.</summary>
    public int MaxBatchBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>The most batches in flight at a time. 1 to 4; default 2. While one is under way, the next gathers; another goes beside it when it takes several times as long as usual.</summary>
    public int MaxBatchesInFlight { get; set; } = 2;

    /// <summary>The most further tries of a batch that surely was not written. 0 to 10; default 3.</summary>
    public int MaxRetries { get; set; } = 3;

    /// <summary>The wait before the first further try; doubled for each one after, with up to half of it as jitter. Up to 10 s; default 50 ms.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a batch whose reply was lost is sent again to learn its fate, before its callers get <see cref="LogOutcomeUnknownException"/>. Up to 5 min; default 10 s.</summary>
    public TimeSpan ResolveUnknownFor { get; set; } = TimeSpan.FromSeconds(10);

    internal sealed class Validator : IValidateOptions<GroupCommitOptions>
    {
        public ValidateOptionsResult Validate(string? name, GroupCommitOptions options)
        {
            var faults = new List<string>();
            Range(nameof(MaxQueuedRequests), options.MaxQueuedRequests, 1, 1_000_000);
            Range(nameof(MaxQueuedBytes), options.MaxQueuedBytes, AppendRequest.MaxBytes, 16L * 1024 * 1024 * 1024);
            Range(nameof(MaxBatchEvents), options.MaxBatchEvents, 1, 10_000);
            Range(nameof(MaxBatchBytes), options.MaxBatchBytes, 1024, 64 * 1024 * 1024);
            Range(nameof(MaxBatchesInFlight), options.MaxBatchesInFlight, 1, 4);
            Range(nameof(MaxRetries), options.MaxRetries, 0, 10);
            Range(nameof(RetryDelay) + " in ms", options.RetryDelay.TotalMilliseconds, 0, 10_000);
            Range(nameof(ResolveUnknownFor) + " in s", options.ResolveUnknownFor.TotalSeconds, 0, 300);
            return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);

            void Range(string option, double value, double from, double to)
            {
                if (value < from || value > to)
                {
                    faults.Add($"{nameof(GroupCommitOptions)}.{option} is {value}; allowed are {from} to {to}.");
                }
            }
        }
    }
}
