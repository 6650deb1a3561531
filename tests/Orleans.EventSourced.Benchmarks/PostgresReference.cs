using System.Diagnostics;
using System.Text;
using Npgsql;
using NpgsqlTypes;

namespace Orleans.EventSourced.Benchmarks;

/// <summary>What PostgreSQL itself can do with rows of the same shape and the same indexes: one by one, and as a bulk load.</summary>
internal sealed class PostgresReference(string connectionString) : IAsyncDisposable
{
    private const int CopyRows = 20_000;
    private static readonly byte[] Data = Encoding.UTF8.GetBytes("""{"number":1,"note":"a note that makes the event about as long as a real one is, which is 100 bytes"}""");
    private static readonly byte[] Metadata = Encoding.UTF8.GetBytes("""{"command":"01a20875-18cd-7bec-a3aa-b099ba97cc6f","correlation":"01a20875-18cd-7bec-a3aa-b099ba97cc6f"}""");
    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(connectionString + ";Maximum Pool Size=64;Max Auto Prepare=8;Auto Prepare Min Usages=2");
    private long _next;

    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand("create table public.reference (like es.events including all)");
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<Measurement> CopyAsync(TimeSpan time)
    {
        var started = Stopwatch.GetTimestamp();
        var rows = 0;
        await using var connection = await _source.OpenConnectionAsync();
        while (Stopwatch.GetElapsedTime(started) < time)
        {
            await using var import = await connection.BeginBinaryImportAsync("copy public.reference (stream_id, version, commit_id, ordinal, id, type, schema, data, metadata) from stdin (format binary)");
            for (var i = 0; i < CopyRows; i++, rows++)
            {
                var n = Interlocked.Increment(ref _next);
                await import.StartRowAsync();
                await import.WriteAsync(n);
                await import.WriteAsync(1);
                await import.WriteAsync(n);
                await import.WriteAsync(0);
                await import.WriteAsync(Guid.CreateVersion7());
                await import.WriteAsync("bench-ticked");
                await import.WriteAsync((short)1);
                await import.WriteAsync(Data, NpgsqlDbType.Json);
                await import.WriteAsync(Metadata, NpgsqlDbType.Json);
            }

            await import.CompleteAsync();
        }

        return new Measurement(rows / Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    public async Task<Measurement> InsertAsync(int connections, TimeSpan time)
    {
        var started = Stopwatch.GetTimestamp();
        var latencies = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
        {
            var mine = new List<double>();
            await using var connection = await _source.OpenConnectionAsync();
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                var call = Stopwatch.GetTimestamp();
                await using var command = new NpgsqlCommand("insert into public.reference values ($1, 1, $1, 0, $2, 'bench-ticked', 1, $3, $4)", connection)
                {
                    Parameters =
                    {
                        new NpgsqlParameter<long> { TypedValue = Interlocked.Increment(ref _next) },
                        new NpgsqlParameter<Guid> { TypedValue = Guid.CreateVersion7() },
                        new NpgsqlParameter { Value = Data, NpgsqlDbType = NpgsqlDbType.Json },
                        new NpgsqlParameter { Value = Metadata, NpgsqlDbType = NpgsqlDbType.Json },
                    },
                };
                await command.ExecuteNonQueryAsync();
                mine.Add(Stopwatch.GetElapsedTime(call).TotalMilliseconds);
            }

            return mine;
        })));
        var all = latencies.SelectMany(l => l).Order().ToList();
        return new Measurement(all.Count / Stopwatch.GetElapsedTime(started).TotalSeconds, all[all.Count / 2], all[all.Count * 99 / 100]);
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();
}
