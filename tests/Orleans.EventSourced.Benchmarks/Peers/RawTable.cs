using System.Text;
using Npgsql;
using Orleans.EventSourced.Benchmarks.Compare;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>A table like the log's, with its indexes, for rows like the log's: what PostgreSQL itself can do with them.</summary>
internal sealed class RawTable : IAsyncDisposable
{
    public const string Type = "bench-ticked";
    private readonly Place _place;
    private long _last;

    private RawTable(Place place, NpgsqlDataSource source) => (_place, Source) = (place, source);

    public static byte[] Data { get; } = Encoding.UTF8.GetBytes($$"""{"number":1,"note":"{{Measures.AppendLoad.Note}}"}""");

    public static byte[] Metadata { get; } = Encoding.UTF8.GetBytes("""{"command":"01a20875-18cd-7bec-a3aa-b099ba97cc6f","correlation":"01a20875-18cd-7bec-a3aa-b099ba97cc6f"}""");

    public NpgsqlDataSource Source { get; }

    public static async Task<RawTable> CreateAsync(Place place, CancellationToken cancellationToken)
    {
        var table = new RawTable(place, NpgsqlDataSource.Create(place.At + ";Maximum Pool Size=64;Max Auto Prepare=8;Auto Prepare Min Usages=2"));
        await using var command = table.Source.CreateCommand("create table public.reference (like es.events including all)");
        await command.ExecuteNonQueryAsync(cancellationToken);
        return table;
    }

    /// <summary>A number that no other row has, for stream and commit.</summary>
    public long Next() => Interlocked.Increment(ref _last);

    public Task<long> BytesAsync(CancellationToken cancellationToken) => _place.BytesAsync(cancellationToken);

    public ValueTask DisposeAsync() => Source.DisposeAsync();
}
