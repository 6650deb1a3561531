using Npgsql;
using NpgsqlTypes;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>A batch in the forms in which <c>es.append</c> and <c>es.append_next</c> take it: one array a column.</summary>
internal static class AppendArrays
{
    /// <summary>Whether each request names the version behind which it goes, so that its events may come next.</summary>
    public static bool NameTheirVersions(IReadOnlyList<AppendRequest> batch) => batch.All(r => !r.Expected.IsAny);

    /// <summary>The parameters of <c>es.append</c>: those of requests, then those of events.</summary>
    public static NpgsqlParameter[] OfRequests(IReadOnlyList<AppendRequest> batch)
    {
        var (stream, expected, count, hash) = (new string[batch.Count], new int[batch.Count], new int[batch.Count], new string?[batch.Count]);
        for (var i = 0; i < batch.Count; i++)
        {
            var request = batch[i];
            (stream[i], expected[i], count[i], hash[i]) = (request.Stream.Value, request.Expected.ToInt32(), request.Events.Count, request.RequestHash);
        }

        return [Of(stream), Of(expected), Of(count), Of(hash), .. OfEvents(batch, Events(batch))];
    }

    /// <summary>The parameters of <c>es.append_next</c>: how many requests, then those of events, each with its stream and its version.</summary>
    public static NpgsqlParameter[] OfNext(IReadOnlyList<AppendRequest> batch)
    {
        var events = Events(batch);
        var (stream, version, k) = (new string[events], new int[events], 0);
        for (var i = 0; i < batch.Count; i++)
        {
            var request = batch[i];
            for (var n = 1; n <= request.Events.Count; n++, k++)
            {
                (stream[k], version[k]) = (request.Stream.Value, request.Expected.ToInt32() + n);
            }
        }

        return [Of(batch.Count), Of(stream), Of(version), .. OfEvents(batch, events)];
    }

    private static NpgsqlParameter[] OfEvents(IReadOnlyList<AppendRequest> batch, int events)
    {
        var (id, type, schema) = (new Guid[events], new string[events], new short[events]);
        var (data, metadata, k) = (new ReadOnlyMemory<byte>[events], new ReadOnlyMemory<byte>[events], 0);
        for (var i = 0; i < batch.Count; i++)
        {
            var request = batch[i];
            for (var n = 0; n < request.Events.Count; n++, k++)
            {
                var e = request.Events[n];
                (id[k], type[k], schema[k], data[k], metadata[k]) = (e.Id.Value, e.Type, e.Schema, e.Data, e.Metadata);
            }
        }

        return [Of(id), Of(type), Of(schema), OfBytes(data), OfBytes(metadata)];
    }

    private static int Events(IReadOnlyList<AppendRequest> batch) => batch.Sum(r => r.Events.Count);

    private static NpgsqlParameter<T> Of<T>(T value) => new() { TypedValue = value };

    private static NpgsqlParameter<ReadOnlyMemory<byte>[]> OfBytes(ReadOnlyMemory<byte>[] values) => new() { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea };
}
