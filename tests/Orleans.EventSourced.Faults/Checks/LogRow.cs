using System.Text.Json;
using Orleans.EventSourced.Faults.Cluster;

namespace Orleans.EventSourced.Faults.Checks;

/// <summary>One event as the log's tables have it.</summary>
internal sealed record LogRow(long Position, string Stream, int Version, Guid Id, string Type, Guid Command, string? Causation, long Commit, int Ordinal, int CommitCount, JsonElement Data, string Metadata)
{
    private const string All = """
        select c.position + e.ordinal, s.name, e.version, e.id, e.type, e.metadata ->> 'command', e.metadata ->> 'causation', c.position, e.ordinal, c.count, e.data::text, e.metadata::text
        from es.events e join es.commits c on c.id = e.commit_id join es.streams s on s.id = e.stream_id
        order by c.position, e.ordinal
        """;

    /// <summary>The whole log, in the order of positions.</summary>
    public static Task<List<LogRow>> ReadAllAsync(FaultCluster cluster) => cluster.QueryAsync(All, r => new LogRow(
        r.GetInt64(0), r.GetString(1), r.GetInt32(2), r.GetGuid(3), r.GetString(4), r.IsDBNull(5) ? Guid.Empty : Guid.Parse(r.GetString(5)), r.IsDBNull(6) ? null : r.GetString(6),
        r.GetInt64(7), r.GetInt32(8), r.GetInt32(9), JsonElement.Parse(r.GetString(10)), r.GetString(11)));
}
