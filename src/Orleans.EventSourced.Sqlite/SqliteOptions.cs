using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Sqlite;

/// <summary>Where the log's file is.</summary>
public sealed class SqliteOptions
{
    /// <summary>
    /// The file; its folder is made if need be. A symbolic link stands for the file it leads to. Beside that lie <c>-views.db</c> with the views and snapshots, <c>-reactions.db</c> with the checkpoints of reactions, <c>.lock</c>, and <c>-views.db.damaged</c> where a file of views was
    /// damaged. Default <c>data/eventlog.db</c>.
    /// </summary>
    public string Path { get; set; } = System.IO.Path.Combine("data", "eventlog.db");

    /// <summary>Opens the files for reading only, which is allowed beside the process that writes. They are there already, and have the schema of this program. Default false.</summary>
    public bool ReadOnly { get; set; }

    /// <summary>How many threads read each file, each with a connection of its own. 1 to 16; default 2.</summary>
    public int Readers { get; set; } = 2;

    /// <summary>The most pieces of work that wait for a thread; one more is refused. 1 to 1,000,000; default 20,000.</summary>
    public int MaxQueued { get; set; } = 20_000;

    /// <summary>The log's file, by the one name that all its processes have for it: a lock beside a link would keep nobody out.</summary>
    internal string LogPath
    {
        get
        {
            var path = System.IO.Path.GetFullPath(Path);
            return new FileInfo(path).LinkTarget is null ? path : File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName;
        }
    }

    /// <summary>The file of views and snapshots, beside the log's.</summary>
    internal string ViewsPath => Beside("-views.db");

    /// <summary>The file of the checkpoints of reactions, beside the log's.</summary>
    internal string ReactionsPath => Beside("-reactions.db");

    /// <summary>Where a damaged file of snapshots is set aside.</summary>
    internal string DamagedViewsPath => ViewsPath + ".damaged";

    private string Beside(string ending) => System.IO.Path.ChangeExtension(LogPath, null) + ending;

    internal sealed class Validator : IValidateOptions<SqliteOptions>
    {
        public ValidateOptionsResult Validate(string? name, SqliteOptions options)
        {
            var faults = new List<string>();
            if (string.IsNullOrWhiteSpace(options.Path))
            {
                faults.Add($"{nameof(SqliteOptions)}.{nameof(Path)} is missing.");
            }

            if (options.Readers is < 1 or > 16)
            {
                faults.Add($"{nameof(SqliteOptions)}.{nameof(Readers)} is {options.Readers}; allowed are 1 to 16.");
            }

            if (options.MaxQueued is < 1 or > 1_000_000)
            {
                faults.Add($"{nameof(SqliteOptions)}.{nameof(MaxQueued)} is {options.MaxQueued}; allowed are 1 to 1,000,000.");
            }

            return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
        }
    }
}
