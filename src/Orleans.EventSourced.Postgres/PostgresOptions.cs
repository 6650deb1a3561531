using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>Where the log is and how its connections behave.</summary>
public sealed class PostgresOptions
{
    /// <summary>The Npgsql connection string of the application's login, which is a member of <c>es_writer</c>. Required. <c>Enlist</c> in it is of no effect: a caller's <c>TransactionScope</c> has no part in what the log does.</summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>The connection string that migrates: a login that may create roles and schemas. Default: <see cref="ConnectionString"/>.</summary>
    public string? AdminConnectionString { get; set; }

    /// <summary>The most connections of the log. 2 to 1,000; default 20.</summary>
    public int MaxConnections { get; set; } = 20;

    /// <summary>The most connections of questions to the past: time travel, views of the past, branches, traces, verification. They have no others, and leave those of the log to appends and grains. 1 to 100; default 4.</summary>
    public int MaxHistoryConnections { get; set; } = 4;

    /// <summary>How long a connection may take. 1 s to 60 s; default 5 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a statement may take. 1 s to 10 min; default 15 s. An append cut off by it is of unknown fate and is resolved by its ids.</summary>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a statement waits for a lock of another. 100 ms to 60 s; default 5 s.</summary>
    public TimeSpan LockTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Starts on a server that may lose what it has acknowledged (<c>fsync</c>, <c>full_page_writes</c> or <c>synchronous_commit</c> off). Default false: such a server is refused.
    /// </summary>
    public bool AllowUnsafeDurabilityUNSAFE { get; set; }

    /// <summary>Refuses what cannot be, before a server is asked for anything.</summary>
    /// <exception cref="LogMisconfiguredException">A value is missing or out of its range; the message has all of them.</exception>
    internal void Check()
    {
        if (new Validator().Validate(null, this) is { Failed: true, FailureMessage: var faults })
        {
            throw new LogMisconfiguredException(faults);
        }
    }

    internal sealed class Validator : IValidateOptions<PostgresOptions>
    {
        public ValidateOptionsResult Validate(string? name, PostgresOptions options)
        {
            var faults = new List<string>();
            if (string.IsNullOrWhiteSpace(options.ConnectionString))
            {
                faults.Add($"{nameof(PostgresOptions)}.{nameof(ConnectionString)} is missing.");
            }

            Range(nameof(MaxConnections), options.MaxConnections, 2, 1_000);
            Range(nameof(MaxHistoryConnections), options.MaxHistoryConnections, 1, 100);
            Range(nameof(ConnectTimeout) + " in s", options.ConnectTimeout.TotalSeconds, 1, 60);
            Range(nameof(CommandTimeout) + " in s", options.CommandTimeout.TotalSeconds, 1, 600);
            Range(nameof(LockTimeout) + " in s", options.LockTimeout.TotalSeconds, 0.1, 60);
            return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);

            void Range(string option, double value, double from, double to)
            {
                if (value < from || value > to)
                {
                    faults.Add($"{nameof(PostgresOptions)}.{option} is {value}; allowed are {from} to {to}.");
                }
            }
        }
    }
}
