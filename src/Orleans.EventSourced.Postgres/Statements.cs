using System.Collections.Concurrent;
using System.Reflection;

namespace Orleans.EventSourced.Postgres;

/// <summary>The SQL of this store, embedded one statement a file.</summary>
internal static class Statements
{
    private static readonly ConcurrentDictionary<string, string> Cache = new(StringComparer.Ordinal);

    public static string Append => Get("append");

    public static string AppendNext => Get("append_next");

    public static string ReadStreams => Get("read_streams");

    public static string ReadLog => Get("read_log");

    public static string ReadNames => Get("read_names");

    public static string ReadHead => Get("read_head");

    public static string FindCommand => Get("find_command");

    public static string FindEvent => Get("find_event");

    public static string InspectLog => Get("inspect_log");

    public static string InspectCommits => Get("inspect_commits");

    public static string InspectEvents => Get("inspect_events");

    public static string InspectStreams => Get("inspect_streams");

    public static string InspectPlaces => Get("inspect_places");

    public static string DeleteLaterSilos => Get("delete_later_silos");

    public static string ReadSnapshot => Get("read_snapshot");

    public static string ListSnapshots => Get("list_snapshots");

    public static string WriteSnapshot => Get("write_snapshot");

    public static string PruneSnapshots => Get("prune_snapshots");

    public static string DeleteSnapshots => Get("delete_snapshots");

    public static string OpenCheckpoint => Get("open_checkpoint");

    public static string MoveCheckpoint => Get("move_checkpoint");

    public static string ReadCheckpoints => Get("read_checkpoints");

    public static string DeleteCheckpoints => Get("delete_checkpoints");

    public static string ReadColumns => Get("read_columns");

    public static string FindEdition => Get("find_edition");

    public static string InsertEdition => Get("insert_edition");

    public static string InsertCheckpoints => Get("insert_checkpoints");

    public static string ReadEditions => Get("read_editions");

    public static string LockCheckpoints => Get("lock_checkpoints");

    public static string CountParked => Get("count_parked");

    public static string ChangeRole => Get("change_role");

    public static string UpdateLive => Get("update_live");

    public static string IsLive => Get("is_live");

    public static string ReadGrants => Get("read_grants");

    public static string ReadDependents => Get("read_dependents");

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

    public static string ReadServer => Get("read_server");

    /// <summary>The migrations by number, in order: <c>NNNN_name.sql</c>.</summary>
    public static IReadOnlyList<(int Number, string Name, string Sql)> Migrations() =>
    [
        .. from resource in typeof(Statements).Assembly.GetManifestResourceNames()
           let parts = resource.Split('.')
           where parts.Length > 3 && parts[^3] == "Migrations"
           let name = parts[^2]
           let number = int.Parse(name.Split('_')[0], System.Globalization.CultureInfo.InvariantCulture)
           orderby number
           select (number, name, Read(resource)),
    ];

    private static string Get(string name) => Cache.GetOrAdd(name, n => Read($"Orleans.EventSourced.Postgres.Sql.{n}.sql"));

    private static string Read(string resource)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"The assembly lacks its resource '{resource}'.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
