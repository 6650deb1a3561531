using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>A batch in the form in which <c>es.append</c> takes it: one array a column, of requests and of events.</summary>
internal readonly struct AppendArrays
{
    public AppendArrays(IReadOnlyList<AppendRequest> batch)
    {
        var requests = batch.Count;
        var events = batch.Sum(r => r.Events.Count);
        (Stream, Expected, Count, Hash) = (new string[requests], new int[requests], new int[requests], new string?[requests]);
        (Id, Type, Schema) = (new Guid[events], new string[events], new short[events]);
        (Data, Metadata) = (new ReadOnlyMemory<byte>[events], new ReadOnlyMemory<byte>[events]);
        var k = 0;
        for (var i = 0; i < requests; i++)
        {
            var request = batch[i];
            (Stream[i], Expected[i], Count[i], Hash[i]) = (request.Stream.Value, request.Expected.ToInt32(), request.Events.Count, request.RequestHash);
            for (var n = 0; n < request.Events.Count; n++, k++)
            {
                var e = request.Events[n];
                (Id[k], Type[k], Schema[k], Data[k], Metadata[k]) = (e.Id.Value, e.Type, e.Schema, e.Data, e.Metadata);
            }
        }
    }

    public string[] Stream { get; }

    public int[] Expected { get; }

    public int[] Count { get; }

    public string?[] Hash { get; }

    public Guid[] Id { get; }

    public string[] Type { get; }

    public short[] Schema { get; }

    public ReadOnlyMemory<byte>[] Data { get; }

    public ReadOnlyMemory<byte>[] Metadata { get; }
}
