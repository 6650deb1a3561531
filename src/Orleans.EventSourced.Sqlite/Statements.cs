using System.Collections.Concurrent;
using System.Reflection;

namespace Orleans.EventSourced.Sqlite;

/// <summary>The SQL of this store, embedded one statement a file.</summary>
internal static class Statements
{
    private static readonly ConcurrentDictionary<string, string> Cache = new(StringComparer.Ordinal);

    public static string InsertLog => Get("insert_log");

    public static string FindStream => Get("find_stream");

    public static string NextStream => Get("next_stream");

    public static string InsertStream => Get("insert_stream");

    public static string FindId => Get("find_id");

    public static string InsertEvent => Get("insert_event");

    public static string LastCommit => Get("last_commit");

    public static string InsertCommit => Get("insert_commit");

    public static string ReadStream => Get("read_stream");

    public static string ReadLog => Get("read_log");

    public static string ReadHead => Get("read_head");

    public static string FindCommand => Get("find_command");

    public static string FindEvent => Get("find_event");

    public static string InspectLog => Get("inspect_log");

    public static string InspectCommits => Get("inspect_commits");

    public static string InspectEvents => Get("inspect_events");

    public static string InspectStreams => Get("inspect_streams");

    public static string InspectPlaces => Get("inspect_places");

    public static string ReadSnapshot => Get("read_snapshot");

    public static string ListSnapshots => Get("list_snapshots");

    public static string WriteSnapshot => Get("write_snapshot");

    public static string InsertCheckpoint => Get("insert_checkpoint");

    public static string OpenCheckpoint => Get("open_checkpoint");

    public static string MoveCheckpoint => Get("move_checkpoint");

    public static string CountParked => Get("count_parked");

    public static string ReadCheckpoints => Get("read_checkpoints");

    public static string DeleteCheckpoints => Get("delete_checkpoints");

    public static string ReadColumns => Get("read_columns");

    public static string FindEdition => Get("find_edition");

    public static string InsertEdition => Get("insert_edition");

    public static string ReadEditions => Get("read_editions");

    public static string CompareCheckpoints => Get("compare_checkpoints");

    public static string ChangeRole => Get("change_role");

    public static string UpdateLive => Get("update_live");

    public static string IsLive => Get("is_live");

    public static string InsertLive => Get("insert_live");

    public static string DeleteLive => Get("delete_live");

    public static string InsertParked => Get("insert_parked");

    public static string DeleteParked => Get("delete_parked");

    public static string ReadParked => Get("read_parked");

    public static string InsertSkipped => Get("insert_skipped");

    public static string ReadSkipped => Get("read_skipped");

    public static string OpenReaction => Get("open_reaction");

    public static string MoveReaction => Get("move_reaction");

    public static string SkipForReaction => Get("skip_for_reaction");

    public static string ReadSkippedByReaction => Get("read_skipped_by_reaction");

    public static string HasIndexes => Get("has_indexes");

    public static string HasVersions => Get("has_versions");

    public static string PruneSnapshots => Get("prune_snapshots");

    public static string DeleteSnapshots => Get("delete_snapshots");

    /// <summary>The migrations of a file by number, in order: <c>NNNN_name.sql</c> in the folder named.</summary>
    public static IReadOnlyList<(int Number, string Sql)> Migrations(string folder) =>
    [
        .. from resource in typeof(Statements).Assembly.GetManifestResourceNames()
           let parts = resource.Split('.')
           where parts.Length > 3 && parts[^3] == folder
           let number = int.Parse(parts[^2].Split('_')[0], System.Globalization.CultureInfo.InvariantCulture)
           orderby number
           select (number, Read(resource)),
    ];

    private static string Get(string name) => Cache.GetOrAdd(name, n => Read($"Orleans.EventSourced.Sqlite.Sql.{n}.sql"));

    private static string Read(string resource)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"The assembly lacks its resource '{resource}'.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
